# SPDX-License-Identifier: Apache-2.0
"""Tools that need /proc or parts of /dev, which a chroot alone does not give them."""

import os

from harness import ChrootTest


class ToolsTests(ChrootTest):
    def test_tools(self):
        environment = {"HOME": "/tmp", "PATH": "/opt/go/bin:/usr/bin:/bin", "TMPDIR": "/tmp"}
        # A line with the name, and one with the command.
        lines = os.environ["TOOLS"].splitlines()
        self.assertGreater(len(lines), 10)
        for name, command in zip(lines[::2], lines[1::2]):
            with self.subTest(name):
                action = self.shell(command, environment=environment, working_directory="work")
                self.assertEqual(action.run(), 0, action.file("stderr"))
                self.assertEqual(action.file("stdout"), "hello\n")
                print(f"{name} works", flush=True)
