"""What is accepted although the world is another one, a message has no remedy, and the like, with the reason.

A row is as narrow as it can be: it is for a class, for calls of certain processes with certain errors, and for a
difference of certain lines alone: each line that differs must match. What no row accepts fails the script.
"""
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from judge import ANYHOW, BARE, REMEDY, WORLD


@dataclass(frozen=True)
class Accepted:
    kind: str
    modes: str  # patterns of the shell, separated by spaces; so are roles and calls
    roles: str
    calls: str
    errors: str
    reason: str
    # Regular expressions. Some argument of the call; each line that differs, with its sign; the words.
    argument: str = ""
    difference: str = ""
    words: str = ""

    def covers(self, result: "dict") -> bool:
        return (
            result["class"] == self.kind
            and _is_among(self.modes, result["mode"])
            and _is_among(self.roles, result["role"])
            and _is_among(self.calls, result["call"])
            and _is_among(self.errors, result["errno"])
            and (not self.argument or any(re.fullmatch(self.argument, word) for word in result["arguments"]))
            and all(re.match(r"[-+] (" + self.difference + ")", line) for line in result["difference"])
            and (not self.words or re.search(self.words, "\n".join(result["words"])) is not None)
        )


def _is_among(patterns: str, word: str) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns.split())


ACCEPTED: list[Accepted] = []


def accepted_by(result: "dict") -> Accepted | None:
    return next((row for row in ACCEPTED if row.covers(result)), None)
