# SPDX-License-Identifier: Apache-2.0
"""Measures actions beside nsrun with the same preset, input root and /tmp. Run by run.sh --bench.

    bench.py DIRECTORY ROUNDS

DIRECTORY has `floor`, which Scripts/benchmark.sh builds, and gets `action`, one at a time, and `actions`, several at
once: microseconds an action, as Scripts/benchmark/race.py writes them down. The client is that of connection.py, and
the build directory is in memory.
"""

import itertools
import os
import pwd
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "Tests"))
from connection import Connection  # noqa: E402
from harness import BUILD, TOOLS, Action, Runner  # noqa: E402
from runner_pb2 import RunResponse  # noqa: E402

AT_ONCE = 4
COMMAND = ["/bin/true"]


class Processes:
    """A process for each action."""

    def __init__(self, name, commands):
        self.name = name
        self.commands = commands

    def run(self, number):
        command = self.commands[number]
        pid = os.posix_spawn(command[0], command, os.environ)
        assert os.waitpid(pid, 0)[1] == 0


class RunnerCalls:
    """A call for each action."""

    name = "nsrun-runner"

    def __init__(self, actions):
        self.actions = actions
        self.connections = [Connection(action.runner.socket) for action in actions]
        self.count = itertools.count()

    def run(self, number):
        action = self.actions[number]
        # The files for the output must be new.
        directory = os.path.basename(action.path)
        suffix = next(self.count)
        action.request.stdout_path = f"{directory}/stdout-{suffix}"
        action.request.stderr_path = f"{directory}/stderr-{suffix}"
        answer = self.connections[number].call(
            b"/buildbarn.runner.Runner/Run", action.request.SerializeToString())
        assert RunResponse.FromString(answer).exit_code == 0


def floor(program, actions):
    """What a C program does with user, mount and pid namespaces alone: neither ipc nor network, which each action has
    as well."""
    os.environ["USER"] = pwd.getpwuid(os.getuid()).pw_name
    command = [program, f"{BUILD}/{TOOLS}", *COMMAND]
    return Processes("C floor, fewer namespaces", [command for _ in actions])


def nsrun(actions):
    return Processes("nsrun --preset action", [[
        os.environ["NSRUN"], "--preset", "action", "--rootfs", f"{BUILD}/{TOOLS}",
        "--bind", f"{action.path}/tmp", "/tmp", "--", *COMMAND] for action in actions])


def one(contender):
    begin = time.monotonic_ns()
    contender.run(0)
    return (time.monotonic_ns() - begin) / 1000


def several(contender, each=25):
    def run(number):
        for _ in range(each):
            contender.run(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    begin = time.monotonic_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.monotonic_ns() - begin) / 1000 / (each * AT_ONCE)


def race(path, contenders, rounds, measure):
    with open(path, "w", encoding="utf-8") as out:
        print(*(contender.name for contender in contenders), sep="\t", file=out)
        for number in range(-3, rounds):
            times = [measure(contender) for contender in contenders]
            if number >= 0:
                print(*(f"{value:.1f}" for value in times), sep="\t", file=out)


def main():
    directory, rounds = sys.argv[1], int(sys.argv[2])
    runner = Runner("--chroot-input-root")
    actions = [Action(runner, COMMAND, TOOLS) for _ in range(AT_ONCE)]
    contenders = [floor(f"{directory}/floor", actions), nsrun(actions), RunnerCalls(actions)]
    race(f"{directory}/action", contenders, rounds, one)
    race(f"{directory}/actions", contenders, max(3, rounds // 20), several)
    for action in actions:
        action.remove()
    runner.close()


main()
