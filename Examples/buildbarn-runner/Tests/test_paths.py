# SPDX-License-Identifier: Apache-2.0
"""Paths of a request lead to what is below the build directory, and nowhere else."""

import collections
import ctypes
import os
import shutil
import tempfile
import threading

import grpc
import runner_pb2

from harness import BUILD, Action, ChrootTest, RunnerTest

DIRECTORIES = "input_root_directory", "temporary_directory", "server_logs_directory"
FILES = "stdout_path", "stderr_path"
FIELDS = (*DIRECTORIES, *FILES, "working_directory")


def exchange(path, other):
    """renameat2(2) with RENAME_EXCHANGE: both are always there."""
    here = -100
    ctypes.CDLL(None).renameat2(here, path.encode(), here, other.encode(), 2)


class Paths:
    def assert_field_refused(self, field, path, words="leads out of its directory"):
        action = self.shell("echo ran")
        setattr(action.request, field, path)
        self.assert_invalid(action, f'{field} "{path}": {words}')

    def test_absolute_paths(self):
        for field in FIELDS:
            for path in "/", "/etc", f"{BUILD}/tools/root", "//":
                self.assert_field_refused(field, path)

    def test_paths_that_go_up(self):
        for field in FIELDS:
            for path in "..", "../" + os.path.basename(BUILD), "tools/../tools", "tools/..":
                self.assert_field_refused(field, path)

    def test_links_that_lead_out(self):
        action = self.action("true")
        outside = os.path.dirname(BUILD)
        os.symlink("/", f"{action.path}/absolute")
        os.symlink("../../..", f"{action.path}/relative")
        os.symlink(f"/proc/self/root{outside}", f"{action.path}/magic")
        name = os.path.basename(action.path)
        for link in "absolute", "relative", "magic":
            for field in DIRECTORIES + FILES:
                self.assert_field_refused(field, f"{name}/{link}/new")
            for field in DIRECTORIES:
                self.assert_field_refused(field, f"{name}/{link}")
        self.assertFalse(os.path.exists(f"{outside}/new"))

    def test_output_files_are_no_links(self):
        action = self.action("echo", "spoilt")
        os.symlink("target", f"{action.path}/stdout")
        self.assert_invalid(action, "File exists")
        self.assertFalse(os.path.exists(f"{action.path}/target"))

    def test_links_that_stay_below(self):
        action = self.shell("echo ran")
        os.symlink(os.path.basename(action.path), action.path + "-link")
        self.addCleanup(os.unlink, action.path + "-link")
        for field in (*FILES, "temporary_directory", "server_logs_directory"):
            path = getattr(action.request, field).replace("/", "-link/")
            setattr(action.request, field, path)
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stdout"), "ran\n")

    def test_paths_that_lead_nowhere(self):
        for field in FIELDS:
            self.assert_field_refused(field, "no/such", "No such file or directory")
        for field in FILES:
            self.assert_field_refused(field, "", "File exists")
        for field in DIRECTORIES:
            action = self.action("true")
            with open(f"{action.path}/file", "w"):
                setattr(action.request, field, f"{os.path.basename(action.path)}/file")
            self.assert_invalid(action, "Not a directory")

    def test_an_input_root_that_is_exchanged(self):
        # The program outside cannot be run, and would give that away.
        outside = tempfile.mkdtemp(dir=os.path.dirname(BUILD))
        self.addCleanup(shutil.rmtree, outside)
        with open(f"{outside}/program", "w"):
            pass
        action = Action(self.runner, ["./program", "--version"])
        self.addCleanup(action.remove)
        shutil.copy(os.environ["NSRUN"], f"{action.place}/program")
        link = f"{action.path}/link"
        os.symlink(outside, link)
        ended = threading.Event()

        def keep_exchanging():
            while not ended.is_set():
                exchange(action.place, link)

        thread = threading.Thread(target=keep_exchanging)
        thread.start()
        seen = collections.Counter()
        try:
            for number in range(300):
                for field in "stdout", "stderr":
                    path = f"{os.path.basename(action.path)}/{field}-{number}"
                    setattr(action.request, field + "_path", path)
                try:
                    self.assertEqual(action.run(), 0)
                    seen["ran"] += 1
                except grpc.RpcError as error:
                    words = error.details()
                    self.assertRegex(words, "leads out of its directory|[Ss]tale file handle")
                    seen["was refused"] += 1
        finally:
            ended.set()
            thread.join()
        # Both kinds have been met.
        self.assertEqual(len(seen), 2, seen)

    def test_readiness_is_that_of_a_path(self):
        def check(path):
            request = runner_pb2.CheckReadinessRequest(path=path)
            self.runner.stub.CheckReadiness(request, timeout=60)

        for path in "", ".", "tools", "tools/root/usr":
            check(path)
        for path in "no", "tools/no", "/", "..", "tools/../..":
            with self.assertRaises(grpc.RpcError) as caught:
                check(path)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INTERNAL)
            self.assertIn(f'path "{path}"', caught.exception.details())


class PathsTests(Paths, RunnerTest):
    def test_a_working_directory_that_leads_out(self):
        action = self.action("true")
        os.symlink("/", f"{action.place}/link")
        action.request.working_directory = "link"
        self.assert_invalid(action, 'working_directory "link": leads out of its directory')


class ChrootPathsTests(Paths, ChrootTest):
    def test_links_of_the_input_root_stay_in_it(self):
        action = self.shell("pwd -P")
        os.symlink("/usr/bin", f"{action.place}/link")
        action.request.working_directory += "/link"
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stdout"), "/usr/bin\n")
