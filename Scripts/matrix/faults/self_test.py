# SPDX-License-Identifier: Apache-2.0
"""Whether misbehaviour is found: a program that misbehaves in each way, instead of nsrun.

A row is how it misbehaves (plant.c), the class that it must be found to have, and a word of what must be told.
"""
import accepted
import calls
import judge
from bench import Bench, tell
from modes import Mode

_ROWS = [
    ("same", judge.SAME, ""),
    ("worded", judge.WORDED, "dmesg"),
    ("engine", judge.ENGINE, "running with"),
    ("world", judge.WORLD, "+ world\tbad"),
    ("remedy", judge.REMEDY, "ulimit -n"),
    ("bare", judge.BARE, "I/O error"),
    ("silent", judge.SILENT, ""),
    ("anyhow", judge.ANYHOW, "I/O error"),
    ("hang", judge.HANG, "0 hangs in"),
    ("crash", judge.CRASH, ""),
    ("file", judge.WORDED + judge.DEBRIS, "file cwd/left"),
    ("mount", judge.WORDED + judge.DEBRIS, "mount /"),
    ("process", judge.WORDED + judge.DEBRIS, "process "),
    ("socket", judge.WORDED + judge.DEBRIS, "socket cwd/left"),
    ("orphan", judge.ENDED + judge.DEBRIS, "process "),
]
# What misbehaves when it is killed, and not when a call fails.
_KILLED = frozenset(["orphan"])


def run(bench: Bench) -> int:
    from __main__ import Trial, faults_of, line_of  # it starts this

    missed = 0
    bench.seconds = 1
    for how, kind, word in _ROWS:
        mode = Mode("plant-" + how, ["{plant}", how], as_root=how == "mount")
        trial = Trial(bench, mode)
        faults = [
            fault for fault in faults_of(mode, trial.recorded, bench.names, {"open", "openat"}, how in _KILLED)
            if "/dev/null" in fault.arguments and fault.error in ("EIO", calls.KILLED)
        ]
        results = [trial.try_fault(fault) for fault in faults]
        bench.leave()
        told = "; ".join(map(line_of, results))
        is_found = [result["class"] for result in results] == [kind] and word in told
        passes = all(result["class"] in judge.GOOD or accepted.accepted_by(result) for result in results)
        if not is_found or passes != (kind in judge.GOOD):
            missed += 1
            tell(f"self-test: {how} is to be found as {kind}, and was not: {told or 'no call was met'}")
    tell(f"self-test: {len(_ROWS) - missed} of {len(_ROWS)} ways to misbehave were found as what they are")
    return 1 if missed else 0
