# SPDX-License-Identifier: Apache-2.0
"""Measures the peak memory of launchers, in KiB, as lines of samples like race.py.

    memory.py --rounds N --peak PEAK OUT :: NAME LAUNCHER... [:: NAME ...]...

A launcher is started with `cat` as its command; while that waits for input, the peaks of the
launcher's processes are added up. One that the command has replaced has no process left: PEAK,
started with the launcher and `true`, tells its peak before that.
"""

import argparse
import pathlib
import subprocess
import sys
import time

from race import command_line

COMMAND = "cat"
PATIENCE = 10


def field(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    return "0"


def processes(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid] + [process for child in children for process in processes(int(child))]


def wait_for_command(launcher):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in processes(launcher.pid):
            if field(pid, "Name") == COMMAND:
                time.sleep(0.05)  # what its launcher still does after starting it counts too
                return pid
        time.sleep(0.01)
    sys.exit(f"benchmark: no {COMMAND} appeared below {launcher.args[0]}")


def together(launcher):
    """The sum of the peaks of all its processes but the command; 0 if none is left."""
    with subprocess.Popen([*launcher, COMMAND], stdin=subprocess.PIPE) as process:
        command = wait_for_command(process)
        peaks = [int(field(pid, "VmHWM")) for pid in processes(process.pid) if pid != command]
    if process.returncode != 0:
        sys.exit(f"benchmark: {launcher[0]} ended with status {process.returncode}")
    return sum(peaks)


def alone(peak, launcher):
    return int(subprocess.run([peak, *launcher, "true"], check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", required=True)
    parser.add_argument("out")
    options, launchers = command_line(parser)
    with open(options.out, "w", encoding="utf-8") as out:
        print(*launchers, sep="\t", file=out)
        for _ in range(options.rounds):
            values = (
                together(launcher) or alone(options.peak, launcher)
                for launcher in launchers.values()
            )
            print(*values, sep="\t", file=out)


if __name__ == "__main__":
    main()
