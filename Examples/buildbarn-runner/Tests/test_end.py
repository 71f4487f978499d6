"""An action that is not wanted any more ends, with all that it has started."""

import os
import signal
import subprocess
import sys
import time

import grpc

from harness import ChrootTest, Runner, RunnerTest, wait_until

# What does not end by itself, whatever its session, and whatever it ignores. It says so in a file.
STUBBORN = """
    setsid sh -c 'trap "" HUP INT TERM; sleep 600' &
    sh -c 'trap "" HUP INT TERM; sleep 600' &
    echo >/tmp/started
    sleep 600
"""


class End:
    def start(self, timeout=None):
        action = self.shell(STUBBORN)
        call = action.start(timeout)
        self.wait_for(action)
        # Pid 1, and at least four of the action's.
        self.assertTrue(wait_until(lambda: len(self.runner.marked()) >= 5))
        return call

    def wait_for(self, action):
        started = action.path + "/tmp/started"
        self.assertTrue(wait_until(lambda: os.path.exists(started)), "it has not started")

    def test_cancellation(self):
        call = self.start()
        call.cancel()
        self.assert_nothing_runs()
        self.assertEqual(self.shell("exit 7").run(), 7)

    def test_deadline(self):
        call = self.start(timeout=2)
        self.assertEqual(call.exception().code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assert_nothing_runs()

    def test_cancellation_at_any_moment(self):
        for number in range(100):
            call = self.shell(STUBBORN).start()
            time.sleep(number / 20000)  # until it runs
            call.cancel()
        self.assert_nothing_runs()

    def test_killed_client(self):
        action = self.shell(STUBBORN)
        client = subprocess.Popen(
            [sys.executable, "-c", """if True:
                import sys, grpc, runner_pb2, runner_pb2_grpc
                channel = grpc.insecure_channel("unix:" + sys.argv[1])
                request = runner_pb2.RunRequest.FromString(sys.stdin.buffer.read())
                runner_pb2_grpc.RunnerStub(channel).Run(request)
            """, self.runner.socket], stdin=subprocess.PIPE)
        client.stdin.write(action.request.SerializeToString())
        client.stdin.close()
        self.wait_for(action)
        self.assertNotEqual(self.runner.marked(), [])
        client.kill()
        client.wait()
        self.assert_nothing_runs()

    def test_ended_runner(self):
        for number in signal.SIGKILL, signal.SIGTERM:
            runner = Runner(*self.options)
            action = self.shell(STUBBORN)
            name, value = runner.mark.split("=")
            action.request.environment_variables[name] = value
            call = runner.stub.Run.future(action.request)
            self.wait_for(action)
            self.assertNotEqual(runner.marked(), [])
            runner.process.send_signal(number)
            self.assertEqual(runner.process.wait(), -number)
            self.assertTrue(wait_until(lambda: not runner.marked()), "something lives on")
            self.assertEqual(call.exception().code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(os.path.exists(runner.socket), number == signal.SIGKILL)
            runner.close()

    def test_a_new_runner_takes_the_place_of_a_killed_one(self):
        runner = Runner(*self.options)
        runner.process.kill()
        runner.process.wait()
        again = Runner(*self.options, socket=runner.socket)
        self.assertEqual(
            again.stub.Run(self.shell("exit 5").request, timeout=60).exit_code, 5)
        again.close()
        runner.close()


class EndTests(End, RunnerTest):
    pass


class ChrootEndTests(End, ChrootTest):
    pass
