"""Paths of a request lead to what is below the build directory, and nowhere else."""

import os

import grpc
import runner_pb2

from harness import BUILD, ChrootTest, RunnerTest

FIELDS = (
    "input_root_directory", "temporary_directory", "stdout_path", "stderr_path",
    "working_directory",
)


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
        for field in FIELDS[:4]:
            for link in "absolute", "relative", "magic":
                self.assert_field_refused(field, f"{name}/{link}/new")
        for field in FIELDS[:2]:
            for link in "absolute", "relative", "magic":
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
        for field in "stdout_path", "stderr_path", "temporary_directory":
            path = getattr(action.request, field).replace("/", "-link/")
            setattr(action.request, field, path)
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stdout"), "ran\n")

    def test_paths_that_lead_nowhere(self):
        for field in FIELDS:
            self.assert_field_refused(field, "no/such", "No such file or directory")
        for field in "stdout_path", "stderr_path":
            self.assert_field_refused(field, "", "File exists")
        for field in "input_root_directory", "temporary_directory":
            action = self.action("true")
            with open(f"{action.path}/file", "w"):
                setattr(action.request, field, f"{os.path.basename(action.path)}/file")
            self.assert_invalid(action, "Not a directory")

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
