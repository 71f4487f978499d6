"""Many actions, at once and one after the other: nothing grows, nothing is left."""

import os
import time

from harness import Action, ChrootTest, RunnerTest, wait_until

IN_A_ROW = 10000 if os.environ.get("NSRUN_ALL") else 1000
AT_ONCE = 32


class Load:
    def use(self):
        """What of the runner could grow."""
        return self.runner.descriptors(), int(self.runner.status("Threads"))

    def memory(self):
        return int(self.runner.status("VmRSS").split()[0])

    def run_in_a_row(self, count):
        for number in range(count):
            action = Action(self.runner, ["/bin/sh", "-c", f"exit {number % 100}"], self.root)
            self.assertEqual(action.run(), number % 100)
            action.remove()

    def test_at_once(self):
        actions = [self.shell(f"echo {n}; sleep 0.5; exit {n}") for n in range(AT_ONCE)]
        begin = time.monotonic()
        calls = [action.start() for action in actions]
        for number, (action, call) in enumerate(zip(actions, calls)):
            self.assertEqual(call.result().exit_code, number)
            self.assertEqual(action.file("stdout"), f"{number}\n")
        # One after the other they would take half a second each.
        self.assertLess(time.monotonic() - begin, AT_ONCE * 0.5 / 2)
        self.assert_nothing_runs()

    def test_in_a_row(self):
        self.run_in_a_row(300)  # caches fill
        use, memory = self.use(), self.memory()
        self.run_in_a_row(IN_A_ROW)
        grown = self.memory() - memory
        print(f"{self.id()}: {IN_A_ROW} actions, {memory} KiB and {grown} more,"
              f" {use[0]} descriptors and {use[1]} threads", flush=True)
        self.assertTrue(wait_until(lambda: self.use() <= use), f"{self.use()} after {use}")
        self.assertLess(grown, 1024)
        self.assert_nothing_runs()


class LoadTests(Load, RunnerTest):
    pass


class ChrootLoadTests(Load, ChrootTest):
    pass
