# SPDX-License-Identifier: Apache-2.0
"""Makes every single system call of a launch fail once, and looks at what comes of it. Started by faults.sh.

Each launch is recorded first. Then, for each call of each process of nsrun's and each error that the call may give, it
is repeated with this one call failing. The command is a probe that prints all it can see of its world: what it
prints is compared with what it prints where nothing fails. What is neither right nor accepted (accepted.py) is printed
on a line of its own, and the exit status is 1.
"""
import argparse
import collections
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass

import accepted
import calls
import judge
import self_test
from bench import Bench, tell
from modes import MODES, Mode


@dataclass(frozen=True)
class Fault:
    mode: str
    role: str
    number: int
    occurrence: int
    arguments: tuple[str, ...]
    call: str
    error: str


def faults_of(
    mode: Mode, recorded: list[list[str]], names: dict[int, str], only: set[str], killed: bool = False
) -> list[Fault]:
    found = []
    for role, number, occurrence, *arguments in recorded:
        call = names.get(int(number), number)
        if only and call not in only:
            continue
        # A loop over all that is in a root makes the same call some thousand times.
        if int(occurrence) > 60 and int(occurrence) % 20:
            continue
        for error in [calls.KILLED] if killed else calls.errors_of(call):
            found.append(Fault(mode.name, role, int(number), int(occurrence), tuple(arguments), call, error))
    return found


class Trial:
    """All faults of one mode."""

    def __init__(self, bench: Bench, mode: Mode):
        self.bench, self.mode = bench, mode
        bench.enter(mode)
        self.recorded, self.usual, self.left_by_design = bench.learn(mode)

    def try_fault(self, fault: Fault) -> dict:
        verdict = self._judged(fault)
        for _ in range(2):
            if verdict.kind != judge.UNMET:
                break
            verdict = self._judged(fault)  # who waits how often is a matter of chance
        if verdict.kind == judge.HANG:
            verdict = self._judged(fault, 4 * self.bench.seconds)  # or is the machine just busy?
        elif verdict.kind in (judge.WORLD, judge.ANYHOW):
            # Or has the host changed meanwhile?
            self.usual = self.usual.widened(self.bench.run().out)
            verdict = self._judged(fault)
        return {
            "mode": fault.mode, "role": fault.role, "call": fault.call, "occurrence": fault.occurrence,
            "arguments": fault.arguments, "errno": fault.error, "class": verdict.name, "status": verdict.status,
            "words": verdict.words, "difference": verdict.difference, "left": verdict.left, "note": verdict.note,
        }

    def _judged(self, fault: Fault, seconds: int = 0) -> judge.Verdict:
        run = self.bench.run(fault.role, fault.number, fault.occurrence, fault.error, seconds=seconds)
        run.left += sorted(self.bench.state() - self.left_by_design)
        if fault.error == calls.KILLED:
            return judge.judge_killed(run, self.usual)
        return judge.judge(run, self.usual, fault.error)


def line_of(result: dict) -> str:
    """What to look at, on one line."""
    arguments = ", ".join(result["arguments"])[:100]
    parts = [
        f"{result['class']:8} {result['mode']} {result['role']} {result['call']}#{result['occurrence']}({arguments})"
        f" {result['errno']} -> {result['status']}",
        " | ".join(result["words"])[:300], result["note"], "; ".join(result["difference"])[:400],
        "left: " + ", ".join(result["left"])[:300] if result["left"] else "",
    ]
    return "    " + ": ".join(filter(None, parts))


class Tally:
    def __init__(self) -> None:
        self.results: list[dict] = []
        self.bad: list[dict] = []
        self.used: set[accepted.Accepted] = set()

    def add(self, result: dict) -> bool:
        """Says whether it can stay as it is."""
        self.results.append(result)
        if result["class"] in judge.GOOD:
            return True
        row = accepted.accepted_by(result)
        if row:
            self.used.add(row)
            return True
        self.bad.append(result)
        return False

    def counts(self, mode: str | None = None) -> str:
        count = collections.Counter(result["class"] for result in self.results if mode in (None, result["mode"]))
        return "  ".join(f"{name} {number}" for name, number in sorted(count.items()))


def chosen_modes(options: argparse.Namespace, bench: Bench) -> list[Mode]:
    known = {mode.name: mode for mode in MODES}
    for name in options.mode or ():
        if name not in known:
            sys.exit(f"faults.sh: there is no mode {name}: name one of {' '.join(known)}")
    found = []
    for mode in MODES:
        if options.mode and mode.name not in options.mode:
            continue
        if mode.needs and mode.needs not in bench.places:
            tell(f"{mode.name}: not tried, for there is no {mode.needs}")
        else:
            found.append(mode)
    return found


def plan(bench: Bench, modes: list[Mode], options: argparse.Namespace) -> list[Fault]:
    """All faults, or a sample of them over all modes."""
    faults = []
    for mode in modes:
        bench.enter(mode)
        first = bench.run()
        bench.leave()
        if first.status != 0:
            sys.exit(f"faults.sh: the mode {mode.name} does not work here: {first.err.strip()[:500]}")
        faults += faults_of(mode, first.calls, bench.names, options.only, options.killed)
    if options.sample:
        chance = random.Random(options.seed)
        slow = {mode.name for mode in modes if mode.is_slow}
        faults = [fault for fault in faults if fault.mode not in slow or chance.random() < 0.1]
        tell(f"a sample of {options.sample} of {len(faults)} faults, with --seed {options.seed}")
        faults = chance.sample(faults, min(options.sample, len(faults)))
    return faults


def try_all(bench: Bench, options: argparse.Namespace) -> int:
    modes = chosen_modes(options, bench)
    faults = plan(bench, modes, options)
    tally = Tally()
    for mode in modes:
        own = [fault for fault in faults if fault.mode == mode.name]
        if options.list:
            for fault in own:
                tell(fault.mode, fault.role, f"{fault.call}#{fault.occurrence}", fault.error, *fault.arguments)
            continue
        if not own:
            continue
        begun = time.monotonic()
        trial = Trial(bench, mode)
        bad = [result for result in map(trial.try_fault, own) if not tally.add(result)]
        bench.leave()
        tell(f"{mode.name:12} {len(own):5} runs {time.monotonic() - begun:4.0f} s  {tally.counts(mode.name)}")
        for result in bad:
            tell(line_of(result))
        if options.json:
            options.json.seek(0)
            options.json.truncate()
            json.dump(tally.results, options.json, indent=0)
            options.json.flush()
    if options.list:
        return 0
    tell(f"{len(tally.results)} runs: {tally.counts()}; {len(tally.bad)} are neither right nor accepted")
    unmet = sum(result["class"] == judge.UNMET for result in tally.results)
    if unmet * 20 > len(tally.results):
        tell(f"{unmet} calls were not made again: what was recorded is not what is launched")
        return 1
    if not (options.sample or options.mode or options.only or options.killed):
        for row in accepted.ACCEPTED:
            if row not in tally.used:
                tell(f"accepted, but not met here: {row}")
    return 1 if tally.bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("--mode", action="append", metavar="NAME", help="this mode; may be repeated")
    parser.add_argument("--only", default="", metavar="CALL[,CALL]", help="these system calls alone")
    parser.add_argument(
        "--killed", action="store_true", help="kill a process after each of its calls, instead of having them fail"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="so many faults by chance, of all modes")
    parser.add_argument("--seed", default=f"{random.randrange(1 << 32):x}", help="what decides which; any word")
    parser.add_argument("--list", action="store_true", help="print the faults, try none")
    parser.add_argument("--json", type=argparse.FileType("w"), metavar="FILE", help="write all results there")
    parser.add_argument("--self-test", action="store_true", help="whether planted misbehaviour is found")
    parser.add_argument("--seconds", type=int, default=6, metavar="N", help="what takes longer hangs")
    for name in ("--account", "--nsrun"):
        parser.add_argument(name, required=True, help=argparse.SUPPRESS)
    for name in ("--debian", "--proot"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = set(filter(None, options.only.split(",")))
    os.umask(0o022)
    bench = Bench(options.account, options.nsrun, options.debian, options.proot, options.seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return self_test.run(bench) if options.self_test else try_all(bench, options)
    finally:
        bench.leave()


if __name__ == "__main__":
    sys.exit(main())
