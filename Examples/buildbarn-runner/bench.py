"""How long an action takes, beside nsrun with the same preset on the same input root. Run by run.sh --bench.

The two take turns, so that whatever else the machine does hits both. The client, Python's gRPC, is part of
what is measured.
"""

import itertools
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "Tests"))
from harness import BUILD, TOOLS, Action, Runner  # noqa: E402

ROUNDS = 300
AT_A_TIME = 4
SECONDS = 5
COMMAND = ["/bin/true"]


class Nsrun:
    """A process for each action."""

    name = "nsrun"

    def __init__(self, actions):
        self.commands = [[
            os.environ["NSRUN"], "--preset", "action", "--rootfs", f"{BUILD}/{TOOLS}",
            "--bind", f"{action.path}/tmp", "/tmp", "--", *COMMAND] for action in actions]

    def run(self, number):
        command = self.commands[number]
        pid = os.posix_spawn(command[0], command, os.environ)
        assert os.waitpid(pid, 0)[1] == 0


class RunnerCalls:
    """A call for each action."""

    name = "runner"

    def __init__(self, actions):
        self.actions = actions
        self.count = itertools.count()

    def run(self, number):
        action = self.actions[number]
        # The files for the output must be new.
        directory = os.path.basename(action.path)
        suffix = next(self.count)
        action.request.stdout_path = f"{directory}/stdout-{suffix}"
        action.request.stderr_path = f"{directory}/stderr-{suffix}"
        assert action.runner.stub.Run(action.request).exit_code == 0


def milliseconds(contender):
    begin = time.perf_counter()
    contender.run(0)
    return (time.perf_counter() - begin) * 1000


def per_second(contender):
    counts = [0] * AT_A_TIME
    begin = time.perf_counter()

    def keep_running(number):
        while time.perf_counter() - begin < SECONDS:
            contender.run(number)
            counts[number] += 1

    threads = [threading.Thread(target=keep_running, args=(n,)) for n in range(AT_A_TIME)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin)


def compare(title, unit, rounds, measure, contenders):
    """Prints the medians, and those of the ratio and the difference round by round."""
    seen = [[measure(contender) for contender in contenders] for _ in range(rounds)]
    print(f"{title}, {unit}:")
    for contender, column in zip(contenders, zip(*seen)):
        print(f"  {contender.name:10} {statistics.median(column):8.2f}")
    print(f"  {'ratio':10} {statistics.median(b / a for a, b in seen):8.2f}")
    print(f"  {'difference':10} {statistics.median(b - a for a, b in seen):8.2f}", flush=True)


def main():
    runner = Runner("--chroot-input-root")
    actions = [Action(runner, COMMAND, TOOLS) for _ in range(AT_A_TIME)]
    contenders = [Nsrun(actions), RunnerCalls(actions)]
    for _ in range(20):
        for contender in contenders:
            contender.run(0)
    compare("One at a time", "milliseconds", ROUNDS, milliseconds, contenders)
    compare(f"{AT_A_TIME} at a time on {os.cpu_count()} processors", "actions a second", 3,
            per_second, contenders)
    print("Targets: a difference of 1 millisecond at most, 500 actions a second on two processors.")
    for action in actions:
        action.remove()
    runner.close()


main()
