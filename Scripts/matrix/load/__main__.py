# SPDX-License-Identifier: Apache-2.0
"""Many launches at once, some of them killed; nothing may be left of any. load.sh says how to call this."""
import argparse
import os
import pwd
import random
import sys
import time

from launches import Caller, imports, in_turn, reused, single
from traces import compare, settled


def few(caller: Caller) -> None:
    for start in single, reused, imports:
        in_turn(caller, start, 16, random.Random("few"), killed=0)


def main() -> int:
    words = argparse.ArgumentParser(prog="load.sh", allow_abbrev=False)
    for name in "account", "nsrun", "nsrun-rootfs", "rootfs":
        words.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    words.add_argument("--of", type=int, default=1, metavar="N", help="only an Nth part")
    words.add_argument("--seed", default=str(time.time_ns()), metavar="WORD", help="the same ones once more")
    given = words.parse_args()
    if not os.path.isdir(given.rootfs):
        sys.exit(f"load.sh: there is no rootfs at {given.rootfs}: Scripts/test.sh makes it")
    account = pwd.getpwnam(given.account)
    caller = Caller(account, given.nsrun, given.nsrun_rootfs, given.rootfs)
    print("seed", given.seed, flush=True)
    try:
        wrong = load(caller, given.of, given.seed)
    finally:
        caller.clean_up()
    return 1 if wrong else 0


def load(caller: Caller, part: int, seed: str) -> bool:
    """Whether anything was wrong or left."""
    # What comes up with the first launch, such as the directories of the user's, is no trace of a launch.
    few(caller)
    before = settled(caller.account, {})
    wrong = False
    for start, count in (single, 10_000), (reused, 2_000), (imports, 200):
        began = time.monotonic()
        count = max(8, count // part)
        failures, killed = in_turn(caller, start, count, random.Random(f"{seed} {start.__name__}"), killed=1 / 3)
        print(f"{start.__name__}: {count} started, {killed} killed, {len(failures)} wrong,"
              f" {time.monotonic() - began:.0f} s", flush=True)
        for failure in failures[:5]:
            print(f"  {failure}")
        wrong |= bool(failures)
    # What a killed one could not take away, the next one of its kind does.
    few(caller)
    left = compare(before, settled(caller.account, before))
    if not caller.is_whole():
        left.append("half a root")
    for trace in left:
        print("left behind:", trace)
    return wrong or bool(left)


sys.exit(main())
