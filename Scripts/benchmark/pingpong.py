# SPDX-License-Identifier: Apache-2.0
"""Runs contenders of Examples/mpi/pingpong.c in turn and writes down what they measured.

    pingpong.py [--rounds N] --sizes "BYTES..." OUT :: NAME COMMAND... [:: NAME ...]...

The sizes are added to each command. OUT is as race.py writes it, with a column for each name and size.
"""

import argparse
import subprocess
import sys

from race import command_line


def measure(name, command, sizes):
    """Microseconds for each size."""
    run = subprocess.run([*command, *sizes], stdout=subprocess.PIPE, text=True, timeout=300)
    rows = [line.split() for line in run.stdout.splitlines()[1:]]
    if run.returncode != 0 or [row[0] for row in rows] != sizes:
        sys.exit(f"benchmark: {name} ended with status {run.returncode}: {run.stdout}")
    return [float(row[1]) for row in rows]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sizes", required=True)
    parser.add_argument("out")
    options, contenders = command_line(parser)
    sizes = options.sizes.split()
    with open(options.out, "w", encoding="utf-8") as out:
        print(*(f"{name}, {size} bytes" for name in contenders for size in sizes), sep="\t", file=out)
        for _ in range(options.rounds):
            times = [measure(name, command, sizes) for name, command in contenders.items()]
            print(*(value for row in times for value in row), sep="\t", file=out)


if __name__ == "__main__":
    main()
