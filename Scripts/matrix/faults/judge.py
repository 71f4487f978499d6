# SPDX-License-Identifier: Apache-2.0
"""What came of a launch in which one call failed: its class."""
import re
from dataclasses import dataclass, field
from os import waitstatus_to_exitcode

SAME = "same"  # the command ran, and its world is the same to the letter
WORLD = "world"  # the status is 0, and the world another one
ENGINE = "engine"  # another engine ran the command, and that was said
WORDED = "worded"  # it failed, with operation, cause, and a remedy on a line of its own
REMEDY = "remedy"  # the same, but the remedy is one for another cause
BARE = "bare"  # it failed with words, but without a remedy
SILENT = "silent"  # it failed without a word
ANYHOW = "anyhow"  # a failure is reported although the command ran
HANG = "hang"  # it had to be killed
CRASH = "crash"  # a signal ended it
ENDED = "ended"  # one of its processes was killed, and all others have ended
UNMET = "unmet"  # the call was not made this time: nothing was tried

CLASSES = [SAME, ENGINE, WORDED, ENDED, WORLD, REMEDY, BARE, SILENT, ANYHOW, HANG, CRASH, UNMET]
GOOD = frozenset([SAME, ENGINE, WORDED, ENDED, UNMET])
# Added to a class where a process, a file, a mount or a socket was left.
DEBRIS = "+debris"


@dataclass
class Run:
    """One launch, as the bench saw it."""

    has_met: bool = False
    status: int | None = None  # as wait(2) gives it; None if it had to be killed
    out: str = ""
    err: str = ""
    left: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)  # who waited where
    calls: list[list[str]] = field(default_factory=list)  # if nothing was to fail


@dataclass
class Usual:
    """What launches in which nothing fails print: their lines, and the names of those that differ by themselves."""

    lines: frozenset[str]
    names: frozenset[str] = frozenset()

    def difference(self, out: str) -> list[str]:
        changed = self.lines ^ frozenset(out.splitlines())
        return sorted(
            ("- " if line in self.lines else "+ ") + line
            for line in changed if line.partition("\t")[0] not in self.names
        )

    def widened(self, out: str) -> "Usual":
        """Knowing of one more launch, what changed in it by itself is no difference any more."""
        changed = self.lines ^ frozenset(out.splitlines())
        return Usual(self.lines, self.names | {line.partition("\t")[0] for line in changed})


@dataclass
class Verdict:
    kind: str
    status: int | None  # the exit status, or minus the signal
    words: list[str]
    difference: list[str]
    left: list[str]
    note: str = ""  # what else to know: where it hung, what is wrong with the remedy

    @property
    def name(self) -> str:
        return self.kind + (DEBRIS if self.left and self.kind != UNMET else "")


# What a remedy speaks of, and the errors that it is for: Sources/NamespaceKit/Failure/Remedy.swift. The first four say
# the same wherever they come from, so that these errors must have it and no other may.
_SUBJECTS = [
    (r"ulimit -n", {"EMFILE"}, True),
    (r"fs\.file-max", {"ENFILE"}, True),
    (r"uses the memory|address space \(ulimit -v\)", {"ENOMEM"}, True),
    (r"dmesg|kernel's log", {"EIO"}, True),
    (r"is full|no inodes|\bdf\b", {"ENOSPC"}, False),
    (r"\bquota\b", {"EDQUOT"}, False),
    (r"ulimit -u", {"EAGAIN"}, False),
    (r"mount-max|max_\w+_namespaces", {"ENOSPC", "EUSERS", "EPERM", "EACCES"}, False),
    (r"--ephemeral", {"EROFS", "EACCES", "EPERM", "ENOENT"}, False),
    (r"squashfs is damaged", {"EINVAL"}, False),
    (r"must be open to you|searchable by you", {"EACCES", "EPERM"}, False),
]


def wrong_remedy(error: str, remedy: str) -> str:
    """Says what is wrong with a remedy against an error, or nothing."""
    for subject, errors, is_needed in _SUBJECTS:
        speaks_of_it = re.search(subject, remedy) is not None
        if is_needed and error in errors and not speaks_of_it:
            return f"the remedy against {error} does not speak of /{subject}/"
        if speaks_of_it and error not in errors:
            return f"a remedy that speaks of /{subject}/ is not one against {error}"
    return ""


def judge_killed(run: Run, usual: Usual) -> Verdict:
    """A launch of which one process was killed: whatever it says, it ends, and a status of 0 means the right world."""
    difference = usual.difference(run.out)
    code = None if run.status is None else waitstatus_to_exitcode(run.status)
    if not run.has_met:
        kind = UNMET
    elif code is None:
        kind = HANG
    else:
        kind = ENDED if code else WORLD if difference else SAME
    return Verdict(
        kind, code, run.err.strip().splitlines(), difference if kind == WORLD else [], run.left, ", ".join(run.hung)
    )


def judge(run: Run, usual: Usual, error: str) -> Verdict:
    words = run.err.strip().splitlines()
    difference = usual.difference(run.out)
    code = None if run.status is None else waitstatus_to_exitcode(run.status)
    note = ", ".join(run.hung)
    if not run.has_met:
        kind = UNMET
    elif code is None:
        kind = HANG
    elif code < 0 or code > 128:
        kind = CRASH
    elif code == 0 and any("running with" in line for line in words):
        kind = ENGINE
    elif code == 0:
        kind = WORLD if difference else SAME
    elif run.out.startswith("ran\t"):
        kind = ANYHOW
    elif not words:
        kind = SILENT
    elif not any(line.startswith("  ") for line in words[1:]):
        kind = BARE
    else:
        remedy = " ".join(line.strip() for line in words[1:] if line.startswith("  "))
        note = wrong_remedy(error, remedy)
        kind = REMEDY if note else WORDED
    if kind not in (WORLD, ANYHOW):
        difference = []
    return Verdict(kind, code, words, difference, run.left, note)
