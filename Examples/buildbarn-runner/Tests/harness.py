# SPDX-License-Identifier: Apache-2.0
"""A runner under test, and actions for it.

What a worker would do is done here: each action has a directory below the build directory, with
an input root, a temporary directory and one for logs.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
import time
import unittest
import uuid

import grpc
import resourceusage_pb2
import runner_pb2
import runner_pb2_grpc

BINARY = os.environ["RUNNER"]
BUILD = os.environ["BUILD_DIRECTORY"]
# An input root with programs of Debian, relative to the build directory.
TOOLS = "tools/root"
TIMEOUT = 60

numbers = itertools.count()


def wait_until(condition, seconds=10):
    """Whether the condition has come true in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def status(pid, field):
    """A field of proc_pid_status(5); None where the process has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                name, value = line.split(":", 1)
                if name == field:
                    return value.strip()
    except OSError:
        return None


def children(parents):
    return {int(pid) for pid in filter(str.isdigit, os.listdir("/proc"))
            if int(status(pid, "PPid") or 0) in parents}


class Runner:
    """A runner that listens on a socket of its own."""

    def __init__(self, *options, prefix=(), socket=None):
        # What the runner and all of its actions have in their environments.
        self.mark = "RUNNER_TEST=" + uuid.uuid4().hex
        self.directory = tempfile.mkdtemp(dir=os.path.dirname(BUILD))
        self.socket = socket or self.directory + "/socket"
        self.log = open(self.directory + "/log", "w+b")
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [*prefix, BINARY, "--socket", self.socket, "--build-directory", BUILD, *options],
            env={"PATH": os.environ["PATH"], name: value}, stdin=subprocess.PIPE, stderr=self.log,
            umask=0)
        # Otherwise another runner may answer: one whose place this one is about to take, or one that
        # a channel to the same address is connected with.
        assert wait_until(lambda: "listening" in self.logged(), TIMEOUT), self.logged()
        self.channel = grpc.insecure_channel(
            "unix:" + self.socket, options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = runner_pb2_grpc.RunnerStub(self.channel)
        grpc.channel_ready_future(self.channel).result(timeout=TIMEOUT)

    def close(self):
        self.channel.close()
        self.process.terminate()
        self.process.communicate()
        assert wait_until(lambda: not os.path.exists(self.socket)), "the socket is still there"
        self.log.close()
        shutil.rmtree(self.directory)

    def logged(self):
        with open(self.directory + "/log") as file:
            return file.read()

    def starters(self):
        """The processes that launch the actions."""
        return children({self.process.pid})

    def processes(self):
        """The processes of the actions, each one's pid 1 among them."""
        pids = children(self.starters())
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.mark.encode() in file.read().split(b"\0"):
                        pids.add(int(pid))
            except OSError:
                continue  # it has ended, or is somebody else's
        return pids - {self.process.pid}


class Action:
    """An action's directories, and what a worker would ask for.

    It starts in its `place`: its input root, or a directory of its own below one that it shares.
    """

    def __init__(self, runner, arguments, root=None, **fields):
        self.runner = runner
        name = f"{os.getpid()}-{next(numbers)}"
        self.path = f"{BUILD}/{name}"
        start = f"work/{name}" if root else ""
        root = root or f"{name}/root"
        self.place = os.path.normpath(f"{BUILD}/{root}/{start}")
        for directory in f"{self.path}/tmp", f"{self.path}/server_logs", self.place:
            os.makedirs(directory)
        mark, value = runner.mark.split("=")
        request = {
            "arguments": arguments,
            "environment_variables": {"PATH": "/usr/bin:/bin", mark: value},
            "stdout_path": f"{name}/stdout",
            "stderr_path": f"{name}/stderr",
            "input_root_directory": root,
            "working_directory": start,
            "temporary_directory": f"{name}/tmp",
            "server_logs_directory": f"{name}/server_logs",
        }
        request["environment_variables"].update(fields.pop("environment", {}))
        request.update(fields)
        self.request = runner_pb2.RunRequest(**request)

    def file(self, name):
        with open(f"{self.path}/{name}") as file:
            return file.read()

    def write(self, name, text, mode=0o755):
        """Puts a file where the action starts."""
        path = f"{self.place}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="latin1") as file:
            file.write(text)
        os.chmod(path, mode)

    def start(self, timeout=TIMEOUT):
        return self.runner.stub.Run.future(self.request, timeout=timeout)

    def run(self):
        self.response = self.start().result()
        return self.response.exit_code

    def usage(self):
        usage = resourceusage_pb2.POSIXResourceUsage()
        assert len(self.response.resource_usage) == 1
        assert self.response.resource_usage[0].Unpack(usage)
        return usage

    def remove(self):
        """As a worker does, at once."""
        shutil.rmtree(self.path)
        shutil.rmtree(self.place, ignore_errors=True)


class RunnerTest(unittest.TestCase):
    """Tests of one runner, started with `options`, by the command `prefix`."""

    options = ()
    prefix = ()
    root = None

    @classmethod
    def setUpClass(cls):
        cls.runner = Runner(*cls.options, prefix=cls.prefix)
        cls.addClassCleanup(cls.runner.close)

    def action(self, *arguments, **fields):
        action = Action(self.runner, arguments, self.root, **fields)
        self.addCleanup(action.remove)
        return action

    def shell(self, script, **fields):
        return self.action("/bin/sh", "-c", script, **fields)

    def output(self, script, **fields):
        """What a script prints, which has to succeed."""
        action = self.shell(script, **fields)
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stderr"), "")
        return action.file("stdout")

    def assert_refused(self, action, code, words):
        with self.assertRaises(grpc.RpcError) as caught:
            action.run()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertIn(words, caught.exception.details())

    def assert_invalid(self, action, words):
        self.assert_refused(action, grpc.StatusCode.INVALID_ARGUMENT, words)

    def assert_not_ready(self, words):
        with self.assertRaises(grpc.RpcError) as caught:
            self.runner.stub.CheckReadiness(runner_pb2.CheckReadinessRequest(), timeout=TIMEOUT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INTERNAL)
        self.assertIn(words, caught.exception.details())

    def assert_nothing_runs(self):
        self.assertTrue(wait_until(lambda: not self.runner.processes()), "something lives on")


class ChrootTest(RunnerTest):
    """The same of a runner for which the input root is the root."""

    options = ("--chroot-input-root",)
    root = TOOLS
