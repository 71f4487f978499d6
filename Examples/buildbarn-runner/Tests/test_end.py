# SPDX-License-Identifier: Apache-2.0
"""An action that is not wanted any more ends, with all that it has started."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc

from harness import BUILD, Action, ChrootTest, Runner, RunnerTest, status, wait_until

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
        # Pid 1, two shells, and as they, three of sleep(1).
        self.assertTrue(wait_until(lambda: len(self.runner.processes()) >= 6))
        return call

    def assert_ended(self, pids):
        ended = wait_until(lambda: all(status(pid, "PPid") is None for pid in pids))
        self.assertTrue(ended, "something lives on")

    def wait_for(self, action):
        started = action.path + "/tmp/started"
        self.assertTrue(wait_until(lambda: os.path.exists(started)), "it has not started")

    def test_cancellation(self):
        call = self.start()
        call.cancel()
        self.assert_nothing_runs()
        self.assertEqual(self.shell("exit 7").run(), 7)

    def test_deadline(self):
        call = self.start(timeout=4)
        self.assertEqual(call.exception().code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assert_nothing_runs()

    def test_cancellation_at_any_moment(self):
        for number in range(100):
            call = self.shell(STUBBORN).start()
            time.sleep(number / 20000)  # until it runs
            call.cancel()
        self.assert_nothing_runs()
        time.sleep(1)  # nor does one begin that was cancelled before
        self.assertEqual(self.runner.processes(), set())

    def client(self, timeout=None):
        """A client of its own that runs several actions at once."""
        actions = [self.shell(STUBBORN) for _ in range(4)]
        client = subprocess.Popen(
            [sys.executable, "-c", """if True:
                import json, sys, grpc, runner_pb2, runner_pb2_grpc
                socket, timeout, requests = json.load(sys.stdin)
                stub = runner_pb2_grpc.RunnerStub(grpc.insecure_channel("unix:" + socket))
                calls = [
                    stub.Run.future(
                        runner_pb2.RunRequest.FromString(bytes.fromhex(request)), timeout=timeout)
                    for request in requests]
                for call in calls:
                    call.result()
            """], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        requests = [action.request.SerializeToString().hex() for action in actions]
        client.stdin.write(json.dumps([self.runner.socket, timeout, requests]).encode())
        client.stdin.close()
        for action in actions:
            self.wait_for(action)
        self.assertNotEqual(self.runner.processes(), set())
        return client

    def test_killed_client(self):
        client = self.client()
        client.kill()
        client.wait()
        self.assert_nothing_runs()

    def test_client_that_does_not_mind_its_deadline(self):
        client = self.client(timeout=4)
        client.send_signal(signal.SIGSTOP)
        self.assert_nothing_runs()
        client.kill()
        client.wait()

    def test_killed_starter(self):
        call = self.start()
        for pid in self.runner.starters():
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(call.exception().code(), grpc.StatusCode.INTERNAL)
        self.assertIn("was killed", call.exception().details())
        self.assert_nothing_runs()
        self.assertEqual(self.shell("exit 7").run(), 7)

    def test_ended_runner(self):
        for number in signal.SIGKILL, signal.SIGTERM, signal.SIGINT:
            runner = Runner(*self.options)
            action = Action(runner, ["/bin/sh", "-c", STUBBORN], self.root)
            call = action.start()
            self.wait_for(action)
            starters = runner.starters()
            processes = starters | runner.processes()
            # Systemd and a terminal send their signals to all processes.
            for pid in starters if number != signal.SIGKILL else ():
                os.kill(pid, number)
            runner.process.send_signal(number)
            self.assertEqual(runner.process.wait(), -number)
            self.assertEqual(call.exception().code(), grpc.StatusCode.UNAVAILABLE)
            self.assert_ended(processes)
            self.assertEqual(os.listdir(runner.directory), ["log"])
            action.remove()
            runner.close()

    def test_a_new_runner_takes_the_place_of_an_old_one(self):
        runner = Runner(*self.options)
        starters = runner.starters()
        again = Runner(*self.options, socket=runner.socket)
        # The old one starts actions still, and processes for them, for whoever was connected with it.
        late = [Action(runner, ["/bin/sh", "-c", "sleep 1; exit 3"], self.root) for _ in range(2)]
        for call in [action.start() for action in late]:
            self.assertEqual(call.result().exit_code, 3)
        for action in late:
            action.remove()
        self.assertGreater(len(runner.starters()), len(starters))
        starters = runner.starters()
        runner.process.kill()
        runner.process.wait()
        self.assert_ended(starters)
        action = Action(again, ["/bin/sh", "-c", "exit 5"], self.root)
        self.assertEqual(action.run(), 5)
        action.remove()
        again.close()
        runner.close()

    def test_a_timeout_beyond_all_counting(self):
        # Python's gRPC would write a smaller one; this is where the runner puts what it has been sent.
        request = self.shell("exit 6").request
        response = self.runner.stub.Run(request, metadata=[("runner-timeout", "99999999H")])
        self.assertEqual(response.exit_code, 6)

    def test_a_socket_that_was_left_behind(self):
        directory = tempfile.mkdtemp(dir=os.path.dirname(BUILD))
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(directory + "/socket")
        Runner(*self.options, socket=directory + "/socket").close()
        self.assertTrue(wait_until(lambda: not os.listdir(directory)))
        os.rmdir(directory)


class EndTests(End, RunnerTest):
    pass


class ChrootEndTests(End, ChrootTest):
    pass
