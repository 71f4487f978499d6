# SPDX-License-Identifier: Apache-2.0
"""What an action is told, and what is told of it."""

import os

import runner_pb2
from connection import Connection

from harness import BUILD, TOOLS, ChrootTest, RunnerTest

RUN = b"/buildbarn.runner.Runner/Run"


class Run:
    def test_exit_codes(self):
        for code in 0, 1, 42, 255:
            self.assertEqual(self.shell(f"exit {code}").run(), code)

    def test_output_and_errors_are_kept_apart(self):
        action = self.shell("echo out; echo err >&2")
        action.run()
        self.assertEqual((action.file("stdout"), action.file("stderr")), ("out\n", "err\n"))

    def test_output_is_appended(self):
        flags = self.output("grep flags /proc/self/fdinfo/1").split()[1]
        self.assertTrue(int(flags, 8) & 0o2000, flags)

    def test_output_files_are_new(self):
        for name in "stdout", "stderr":
            action = self.shell("echo spoilt")
            with open(f"{action.path}/{name}", "w") as file:
                file.write("there before")
            self.assert_invalid(action, "File exists")
            self.assertEqual(action.file(name), "there before")

    def test_input_is_empty(self):
        self.assertEqual(self.output("cat; readlink /proc/self/fd/0"), "/dev/null\n")

    def test_arguments(self):
        action = self.action("printf", "<%s>", "a b", "", "*", "é\n")
        self.assertEqual(action.run(), 0)
        self.assertEqual(action.file("stdout"), "<a b><><*><é\n>")

    def test_environment_is_that_of_the_request(self):
        environment = {"A": "1", "EMPTY": "", "TWO": "x\ny=z", "PATH": "/usr/bin", "PWD": "is told"}
        action = self.action("env", "-0")
        action.request.environment_variables.clear()
        action.request.environment_variables.update(environment)
        self.assertEqual(action.run(), 0, action.file("stderr"))
        seen = action.file("stdout").rstrip("\0").split("\0")
        self.assertEqual(sorted(seen), sorted(f"{k}={v}" for k, v in environment.items()))

    def test_no_environment(self):
        action = self.action("env")
        action.request.environment_variables.clear()
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stdout"), "")

    def test_working_directory(self):
        action = self.shell("cat here; pwd")
        action.write("a/b/here", "found\n")
        action.request.working_directory += "/a/b"
        action.request.working_directory = action.request.working_directory.lstrip("/")
        self.assertEqual(action.run(), 0, action.file("stderr"))
        found, directory = action.file("stdout").split()
        self.assertEqual(found, "found")
        self.assertTrue(directory.endswith("/a/b"), directory)

    def test_a_relative_path_is_that_of_the_working_directory(self):
        action = self.action("tool", environment={"PATH": "bin"})
        action.write("bin/tool", "#!/bin/sh\necho $0\n")
        self.assertEqual(action.run(), 0)
        self.assertEqual(action.file("stdout"), "bin/tool\n")

    def test_outputs_stay(self):
        action = self.shell("echo made >output; echo for a while >/tmp/note")
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("tmp/note"), "for a while\n")
        with open(f"{action.place}/output") as file:
            self.assertEqual(file.read(), "made\n")

    def test_signals(self):
        for name in "KILL", "SEGV", "ABRT", "TERM":
            action = self.shell(f"kill -s {name} $$")
            self.assertEqual(action.run(), -1)
            self.assertEqual(action.usage().termination_signal, name)
        action = self.shell("kill -s 37 $$")
        self.assertEqual(action.run(), -1)
        self.assertEqual(action.usage().termination_signal, "RTMIN+3")
        action = self.shell("exit 137")
        self.assertEqual(action.run(), 137)
        self.assertEqual(action.usage().termination_signal, "")

    def test_resource_usage(self):
        action = self.shell("python3 -c 'bytearray(b\"x\") * (200 << 20); sum(range(10**7))'; :")
        self.assertEqual(action.run(), 0, action.file("stderr"))
        usage = action.usage()
        self.assertGreater(usage.maximum_resident_set_size, 200 << 20)
        self.assertLess(usage.maximum_resident_set_size, 300 << 20)
        self.assertGreater(usage.user_time.seconds + usage.user_time.nanos / 1e9, 0.05)
        self.assertGreater(usage.page_reclaims, 1000)
        self.assertGreater(usage.voluntary_context_switches, 0)

    def test_commands_that_cannot_run(self):
        self.assert_invalid(self.action("./program"), "./program: no such file")
        self.assert_invalid(self.action("/no/program"), "/no/program: no such file")
        self.assert_invalid(self.action("nosuch"), "looked in /usr/bin:/bin")
        self.assert_invalid(self.action("/"), "permission denied")
        self.assert_invalid(self.action(), "arguments")
        self.assert_invalid(self.action(""), "empty")
        self.assert_invalid(self.action("true", "\0"), "NUL")
        self.assert_invalid(self.action("true", "x" * 200000), "too many for the kernel")
        self.assert_invalid(self.action("true", environment={"A=B": ""}), "A=B")

    def test_files_that_are_no_programs(self):
        for text, mode, words in (
            ("#!/bin/sh\n", 0o644, "permission denied"),
            ("\x00asm\x01", 0o755, "neither a program of this machine"),
            ("#!/no/interpreter\n", 0o755, "/no/interpreter"),
        ):
            action = self.action("./program")
            action.write("program", text, mode)
            self.assert_invalid(action, words)

    def test_a_failure_is_explained_in_the_server_logs(self):
        action = self.action("nosuch")
        self.assert_invalid(action, "nosuch")
        log = action.file("server_logs/nsrun-runner")
        self.assertTrue(log.startswith("cannot run nosuch: not found"), log)
        self.assertIn("\nSteps:\n", log)

    def test_a_long_error_leaves_the_connection_alone(self):
        """As far as it fits into a frame of HTTP/2, to a client that takes no longer ones than it must."""
        connection = Connection(self.runner.socket)
        self.addCleanup(connection.socket.close)
        long = self.action("nosuch")
        # The error names them, and gRPC writes three bytes for each of these.
        long.request.environment_variables["PATH"] = ":".join(["/%%%%%%%%%"] * 1300)
        with self.assertRaisesRegex(AssertionError, "the call has failed"):
            connection.call(RUN, long.request.SerializeToString())
        answer = connection.call(RUN, self.shell("exit 6").request.SerializeToString())
        self.assertEqual(runner_pb2.RunResponse.FromString(answer).exit_code, 6)

    def test_a_command_that_is_stopped_time_and_again(self):
        """Nobody reads of it before the end, so it must not be waited for."""
        script = "import os, signal as s, sys, time\n" \
            "if os.fork(): time.sleep(60)\n" \
            "for n in range(8000):\n" \
            "    os.kill(2, s.SIGSTOP)\n" \
            "    while open('/proc/2/stat').read().split()[2] != 'T': pass\n" \
            "    os.kill(2, s.SIGCONT)\n" \
            "os.kill(2, s.SIGKILL)"
        action = self.action("python3", "-c", script)
        self.assertEqual(action.run(), -1)

    def test_what_is_logged(self):
        action = self.action("nosuch")
        self.assert_invalid(action, "nosuch")
        lines = [line for line in self.runner.logged().splitlines()
                 if action.request.input_root_directory in line]
        self.assertRegex(lines[-1], r" notice nsrun-runner ?: .*cause=cannot run nosuch: .*failed")
        self.assertIn("code=invalidArgument", lines[-1])


class RunTests(Run, RunnerTest):
    pass


class ChrootRunTests(Run, ChrootTest):
    def test_the_input_root_is_the_root(self):
        action = self.shell("pwd; ls -A /")
        action.run()
        directory, *names = action.file("stdout").split()
        self.assertEqual(directory, "/" + action.request.working_directory)
        self.assertEqual(sorted(names), sorted(os.listdir(f"{BUILD}/{TOOLS}")))
