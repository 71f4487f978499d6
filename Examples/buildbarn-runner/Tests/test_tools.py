"""Tools that need /proc or parts of /dev, which a chroot alone does not give them."""

import json
import os

from harness import ChrootTest


class ToolsTests(ChrootTest):
    def test_tools(self):
        environment = {"HOME": "/tmp", "PATH": "/opt/go/bin:/usr/bin:/bin", "TMPDIR": "/tmp"}
        tools = json.loads(os.environ["TOOLS"])
        self.assertGreater(len(tools), 5)
        for name, command in tools.items():
            with self.subTest(name):
                action = self.shell(command, environment=environment, working_directory="work")
                self.assertEqual(action.run(), 0, action.file("stderr"))
                self.assertEqual(action.file("stdout"), "hello\n")
                print(f"{name} works", flush=True)
