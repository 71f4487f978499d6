# SPDX-License-Identifier: Apache-2.0
"""Runs contenders in turn and writes down how long each launch took.

    race.py [--rounds N] [--launches N] [--at-once N] [--warm-up N] [--before SCRIPT]
            OUT :: NAME COMMAND... [:: NAME ...]...

In turn (A B C A B C ...), because the load of a machine changes while it measures: what a round
has in common cancels out of the ratios within that round. OUT gets a line of names, then a line a
round, microseconds a launch, separated by tabs. SCRIPT is for sh, and not part of what is measured.
"""

import argparse
import os
import subprocess
import sys
import time


def start(command):
    null = "/dev/null"
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
        ],
    )


def finish():
    _, status = os.wait()
    return os.waitstatus_to_exitcode(status)


def measure(name, command, launches, at_once):
    """Microseconds a launch, with `at_once` of them under way until all are done."""
    begun = time.monotonic_ns()
    for number in range(launches + at_once):
        if number >= at_once and (status := finish()) != 0:
            sys.exit(f"benchmark: {name} ended with status {status}: {' '.join(command)[:200]}")
        if number < launches:
            start(command)
    return (time.monotonic_ns() - begun) / 1000 / launches


def command_line(parser):
    """What stands before the first `::`, and the command of each contender after it."""
    words = sys.argv[1:]
    if "::" not in words:
        parser.error("no contenders")
    starts = [index for index, word in enumerate(words) if word == "::"]
    groups = [words[start + 1 : end] for start, end in zip(starts, [*starts[1:], len(words)])]
    return parser.parse_args(words[: starts[0]]), {name: command for name, *command in groups}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--launches", type=int, default=1, help="launches a round")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=3, help="rounds that do not count")
    parser.add_argument("--before", default="", help="prepares each contender's turn")
    parser.add_argument("out")
    options, racers = command_line(parser)
    at_once = min(options.at_once, options.launches)
    with open(options.out, "w", encoding="utf-8") as out:
        print(*racers, sep="\t", file=out)
        for number in range(-options.warm_up, options.rounds):
            times = []
            for name, command in racers.items():
                subprocess.run(["sh", "-c", options.before], check=True)
                times.append(measure(name, command, options.launches, at_once))
            if number >= 0:
                print(*(f"{value:.1f}" for value in times), sep="\t", file=out)


if __name__ == "__main__":
    main()
