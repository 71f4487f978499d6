# SPDX-License-Identifier: Apache-2.0
"""Many actions, at once and one after the other: nothing grows, nothing is left."""

import os
import time

from harness import BUILD, TIMEOUT, Action, ChrootTest, RunnerTest, status, wait_until

AT_ONCE = 32


def owner(path):
    try:
        return os.lstat(path).st_uid
    except FileNotFoundError:
        return None  # somebody else's


def files():
    """What of ours lies where something could be left."""
    places = "/tmp", "/var/tmp", "/dev/shm", BUILD, os.path.dirname(BUILD)
    paths = (f"{place}/{name}" for place in places for name in os.listdir(place))
    return sorted(path for path in paths if owner(path) == os.getuid())


def mounts():
    with open("/proc/self/mountinfo") as file:
        return file.read()


class Load:
    in_a_row = 1000

    def own(self):
        return [self.runner.process.pid, *self.runner.starters()]

    def use(self):
        """Descriptors, threads and processes of the runner."""
        own = self.own()
        descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in own)
        return descriptors, sum(int(status(pid, "Threads")) for pid in own), len(own)

    def memory(self):
        """In KiB."""
        return sum(int(status(pid, "VmRSS").split()[0]) for pid in self.own())

    def memory_of_server(self):
        return int(status(self.runner.process.pid, "VmRSS").split()[0])

    def run_in_a_row(self, count):
        for number in range(count):
            action = Action(self.runner, ["/bin/sh", "-c", f"exit {number % 100}"], self.root)
            self.assertEqual(action.run(), number % 100)
            action.remove()

    def test_at_once(self):
        before = mounts(), files()
        actions = []
        for number in range(AT_ONCE):
            script = f"echo {number}; read line </tmp/gate; exit {number}"
            action = Action(self.runner, ["/bin/sh", "-c", script], self.root)
            os.mkfifo(f"{action.path}/tmp/gate")
            actions.append(action)
        calls = [action.start() for action in actions]
        # Each has its pid 1 and a shell, and waits for the others.
        self.assertTrue(wait_until(lambda: len(self.runner.processes()) == 2 * AT_ONCE, TIMEOUT))
        for number, (action, call) in enumerate(zip(actions, calls)):
            with open(f"{action.path}/tmp/gate", "w") as gate:
                gate.write("go\n")
            self.assertEqual(call.result().exit_code, number)
            self.assertEqual(action.file("stdout"), f"{number}\n")
            action.remove()
        self.assertEqual((mounts(), files()), before)
        self.assert_nothing_runs()

    def test_in_a_row(self):
        self.run_in_a_row(300)  # caches fill
        before = mounts(), files()
        use, memory = self.use(), self.memory()
        self.run_in_a_row(self.in_a_row)
        grown = self.memory() - memory
        print(f"{self.id()}: {self.in_a_row} actions, {memory} KiB and {grown} more; "
              f"{use[0]} descriptors, {use[1]} threads, {use[2]} processes", flush=True)
        settled = wait_until(lambda: all(now <= then for now, then in zip(self.use(), use)))
        self.assertTrue(settled, f"{self.use()} after {use}")
        self.assertLess(grown, 1024)
        self.assertEqual((mounts(), files()), before)
        self.assert_nothing_runs()

    def test_cancelled_in_a_row(self):
        """Fewer than the two hundred that the connection bears."""
        self.cancel_in_a_row(5)
        use, memory = self.use(), self.memory_of_server()
        self.cancel_in_a_row(20)
        # The end of an action may be told a little late, so that another starter was needed. A leak would be of 80.
        settled = wait_until(lambda: all(now < then + 40 for now, then in zip(self.use(), use)))
        self.assertTrue(settled, f"{self.use()} after {use}")
        self.assertLess(self.memory_of_server() - memory, 2048)

    def cancel_in_a_row(self, rounds):
        for number in range(rounds):
            calls = [self.action("sleep", "600").start() for _ in range(4)]
            time.sleep(number / 1000)
            for call in calls:
                call.cancel()
            self.assert_nothing_runs()


class LoadTests(Load, RunnerTest):
    pass


class ChrootLoadTests(Load, ChrootTest):
    in_a_row = 10000 if os.environ.get("NSRUN_ALL") else 1000
