# SPDX-License-Identifier: Apache-2.0
"""What an action has to itself, and what it does not see."""

import os
import shutil
import socket
import subprocess
import threading

import grpc
import runner_pb2

from harness import BUILD, TOOLS, Action, ChrootTest, Runner, RunnerTest, wait_until


class Isolation:
    def test_processes(self):
        processes = self.output("ls -d /proc/[0-9]*; readlink /proc/self/exe").split()
        self.assertEqual(processes[0], "/proc/1")
        self.assertLessEqual(len(processes), 4, processes)
        self.assertTrue(processes[-1].endswith("/bin/readlink"), processes)

    def test_devices(self):
        seen = self.output("ls /dev; ls /dev/shm /dev/pts; echo kept >/dev/shm/note")
        names = seen.split()
        for name in "fd", "full", "null", "ptmx", "pts", "random", "shm", "tty", "zero", "stdin":
            self.assertIn(name, names)
        self.assertTrue(seen.endswith("/dev/pts:\nptmx\n\n/dev/shm:\n"), seen)

    def test_temporary_files(self):
        action = self.shell("echo note >/tmp/note; echo note >/var/tmp/note; ls -A /tmp /var/tmp")
        self.assertEqual(action.run(), 0, action.file("stderr"))
        self.assertEqual(action.file("stdout"), "/tmp:\nnote\n\n/var/tmp:\nnote\n")
        self.assertEqual(self.output("ls -A /tmp /var/tmp"), "/tmp:\n\n/var/tmp:\n")

    def test_without_a_temporary_directory(self):
        script = "ls -A /tmp; echo note >/tmp/note"
        self.assertEqual(self.output(script, temporary_directory=""), "")
        self.assertEqual(self.output(script, temporary_directory=""), "")

    def test_network(self):
        self.assertEqual(self.output("tail -n +3 /proc/net/dev | cut -d: -f1").split(), ["lo"])

    def test_the_network_is_not_for_actions_to_change(self):
        # SIOCSIFFLAGS, with none: lo would go down.
        take_down = "import fcntl as f, socket as s, struct as t; " \
            "f.ioctl(s.socket(s.AF_INET, s.SOCK_DGRAM), 0x8914, t.pack('16sh14x', b'lo', 0))"
        action = self.action("python3", "-c", take_down)
        self.assertEqual(action.run(), 1)
        self.assertIn("PermissionError", action.file("stderr"))
        settings = "import os; " \
            "paths = [f'{d}/{f}' for d, _, fs in os.walk('/proc/sys/net') for f in fs]; " \
            "print(len(paths) > 50, [p for p in paths if os.access(p, os.W_OK)])"
        self.assertEqual(self.output(f'python3 -c "{settings}"'), "True []\n")

    def test_a_network_that_was_used_is_nobody_elses(self):
        """What an action has sent would be seen, and its ports stay taken for a while."""
        talk = "import socket as s; l = s.create_server(('127.0.0.1', 4711)); " \
            "c = s.create_connection(('127.0.0.1', 4711)); p = l.accept()[0]; p.close(); " \
            "print(c.recv(1))"
        traffic = "import re; print(re.search(r'lo: *(\\d+)', open('/proc/net/dev').read())[1])"
        taken = "import socket as s; l = s.socket(); l.bind(('127.0.0.1', 4711)); print('free')"
        for _ in range(3):
            self.assertEqual(self.output(f"python3 -c \"{talk}\""), "b''\n")
            self.assertEqual(self.output(f"python3 -c \"{taken}\""), "free\n")
            self.assertEqual(self.output(f"python3 -c \"{traffic}\""), "0\n")

    def test_a_flow_label_is_nobody_elses(self):
        """One that an action has asked for stays after its end, with what it says, and nothing was sent."""
        # IPV6_FLOWLABEL_MGR: GET and CREATE, to linger for a minute.
        ask = "import socket as s, struct as t; " \
            "k = s.socket(s.AF_INET6, s.SOCK_DGRAM); " \
            "k.setsockopt(s.IPPROTO_IPV6, 32, s.inet_pton(s.AF_INET6, '::1') " \
            "+ t.pack('=IBBHHHI', s.htonl(0x12345), 0, 255, 1, 6, 60, 0))"
        for _ in range(3):
            self.assertEqual(self.output(f"python3 -c \"{ask}\""), "")
            self.assertEqual(self.output("tail -n +2 /proc/net/ip6_flowlabel"), "")

    def test_networks_of_actions_at_once(self):
        """One listens, and another can listen there, too."""
        listen = "import socket as s; l = s.create_server(('127.0.0.1', 4711)); " \
            "u = s.socket(s.AF_UNIX); u.bind('\\0name'); open('/tmp/ready', 'w').close(); " \
            "open('/tmp/gate').read()"
        actions = [self.action("python3", "-c", listen) for _ in range(4)]
        for action in actions:
            os.mkfifo(f"{action.path}/tmp/gate")
        calls = [action.start() for action in actions]
        for action, call in zip(actions, calls):
            ready = f"{action.path}/tmp/ready"
            self.assertTrue(wait_until(lambda: os.path.exists(ready)), "it does not listen")
            open(f"{action.path}/tmp/gate", "w").close()
            self.assertEqual(call.result().exit_code, 0)

    def test_shared_memory_of_system_v(self):
        # IPC_CREAT | IPC_EXCL: to make a segment that somebody else has made fails.
        script = "import ctypes; print(ctypes.CDLL(None).shmget(4711, 4096, 0o3600))"
        for _ in range(2):
            self.assertEqual(self.output(f"python3 -c '{script}'"), "0\n")

    def test_pid_1_tells_nothing(self):
        """It began as a copy of the starter, which had what earlier actions were started with."""
        for name in "environ", "mem", "maps", "fd/0", "root", "ns/mnt":
            action = self.action("python3", "-c", f"open('/proc/1/{name}').read(1)")
            self.assertEqual(action.run(), 1)
            self.assertIn("Permission denied", action.file("stderr"), name)

    def test_keys(self):
        """A service manager gives the runner a session keyring, which would be that of all actions."""
        join, add, search = {"x86_64": (250, 248, 250), "aarch64": (219, 217, 219)}[os.uname().machine]
        prefix = ["/usr/bin/python3", "-c",
                  f"import ctypes, os, sys; ctypes.CDLL(None).syscall({join}, 1, None); "
                  "os.execv(sys.argv[1], sys.argv[1:])"]
        keep = f"import ctypes; c = ctypes.CDLL(None); " \
            f"print(c.syscall({search}, 10, -3, b'user', b'probe', 0), " \
            f"c.syscall({add}, b'user', b'probe', b'secret', 6, -3) > 0)"
        runner = Runner(*self.options, prefix=prefix)
        self.addCleanup(runner.close)
        for _ in range(2):
            action = Action(runner, ["python3", "-c", keep], self.root)
            self.addCleanup(action.remove)
            self.assertEqual(action.run(), 0, action.file("stderr"))
            self.assertEqual(action.file("stdout"), "-1 True\n")

    def test_session(self):
        self.assertEqual(self.output("cut -d' ' -f6 /proc/$$/stat; echo $$").split(), ["2", "2"])

    def test_descriptors(self):
        # Connections that are open, and others that are just being made.
        connections = [self.connect() for _ in range(20)]
        ended = threading.Event()

        def keep_connecting():
            while not ended.is_set():
                self.connect().close()

        thread = threading.Thread(target=keep_connecting)
        thread.start()
        try:
            for _ in range(100):
                self.assertEqual(self.output("ls /proc/self/fd"), "0\n1\n2\n3\n")
        finally:
            ended.set()
            thread.join()
            for connection in connections:
                connection.close()

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.runner.socket)
        return connection

    def test_signals(self):
        seen = self.output("grep -E '^Sig(Blk|Ign)' /proc/self/status").split()
        blocked, ignored = int(seen[1], 16), int(seen[3], 16)
        # 32 and 33 are the C library's own: posix_spawn(3) leaves them ignored.
        self.assertEqual((blocked, ignored & 0x7fffffff), (0, 0), seen)

    def test_nothing_is_left(self):
        with open("/proc/self/mountinfo") as file:
            before = file.read()
        action = self.shell("setsid sh -c 'trap \"\" HUP INT TERM; sleep 600' & echo started")
        self.assertEqual(action.run(), 0)
        self.assertEqual(self.runner.processes(), set())
        shutil.rmtree(action.place)
        with open("/proc/self/mountinfo") as file:
            self.assertEqual(file.read(), before)

    def test_no_new_privileges(self):
        seen = self.output("grep -E '^(NoNewPrivs|CapEff|CapBnd)' /proc/self/status").split()
        self.assertEqual(seen[1::2], ["0" * 16, "0" * 16, "1"])


class IsolationTests(Isolation, RunnerTest):
    def test_other_actions_are_not_seen(self):
        other = self.shell("echo >/tmp/started; sleep 600")
        other.write("secret", "secret")
        call = other.start()
        started = other.path + "/tmp/started"
        self.assertTrue(wait_until(lambda: os.path.exists(started)), "it has not started")
        action = self.shell(f"ls -A {BUILD}; ls -A {other.place} 2>/dev/null; ls -d /proc/[0-9]*")
        action.run()
        call.cancel()
        name = os.path.basename(action.path)
        lines = action.file("stdout").split()
        self.assertEqual(lines[0], name)
        self.assertNotIn("secret", lines)
        self.assertTrue(all(line.startswith("/proc/") for line in lines[1:]), lines)
        self.assertLessEqual(len(lines), 4, lines)

    def test_an_action_cannot_ask_for_actions(self):
        script = "import socket as s; s.socket(s.AF_UNIX).connect({!r})".format(self.runner.socket)
        action = self.action("python3", "-c", script)
        self.assertEqual(action.run(), 1)
        self.assertIn("ConnectionRefusedError", action.file("stderr"))
        self.connect().close()  # others can


class ChrootIsolationTests(Isolation, ChrootTest):
    def test_the_host_is_not_seen(self):
        self.assertEqual(self.output(f"test ! -e {BUILD} && test ! -e {self.runner.socket}"), "")

    def test_the_input_root_can_be_removed_at_once(self):
        script = "setsid sleep 600 & mkdir made && echo >made/output"
        action = Action(self.runner, ["/bin/sh", "-c", script])
        subprocess.run(["cp", "-al", f"{BUILD}/{TOOLS}/.", action.place], check=True)
        self.assertEqual(action.run(), 0, action.file("stderr"))
        action.remove()
        self.assertFalse(os.path.exists(action.path))

    def test_another_user_can_remove_what_was_made_for_mounts(self):
        action = Action(self.runner, ["/program", "--version"])
        self.addCleanup(action.remove)
        shutil.copy(os.environ["NSRUN"], action.place + "/program")
        self.assertEqual(action.run(), 0, action.file("stderr"))
        made = {}
        for place, directories, files in os.walk(action.place):
            made.update({name: 0o777 for name in directories})
            made.update({name: 0o666 for name in files if name != "program"})
            for name in {*directories, *files} - {"program"}:
                mode = os.lstat(f"{place}/{name}").st_mode & 0o777
                self.assertEqual(mode, made[name], name)
        self.assertLess({"dev", "proc", "tmp"}, made.keys())


class HostNetworkTests(RunnerTest):
    options = ("--network", "host")

    def test_network(self):
        command = "cut -d: -f1 /proc/net/dev"
        mine = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(self.output(command), mine)


def host_with(setting, value):
    """What starts a runner as on a host where the administrator allows for fewer namespaces."""
    script = f"echo {value} >/proc/sys/user/{setting} && exec " \
        f'unshare --map-user={os.getuid()} --map-group={os.getgid()} "$@"'
    return "unshare", "-Ur", "sh", "-c", script, "sh"


class RefusedUserNamespacesTests(RunnerTest):
    """On a host without user namespaces the runner is not ready, and says why."""

    prefix = host_with("max_user_namespaces", 1)

    def test_readiness(self):
        self.assert_not_ready("MISSING user, mount and pid namespaces")

    def test_run(self):
        self.assert_refused(
            self.action("true"), grpc.StatusCode.INTERNAL, "cannot create user, mount, pid")


class RefusedNetworkNamespacesTests(RunnerTest):
    prefix = host_with("max_net_namespaces", 0)

    def test_readiness(self):
        self.assert_not_ready("missing network namespace")

    def test_run(self):
        self.assert_refused(
            self.action("true"), grpc.StatusCode.INTERNAL, "of this machine")


class UnneededNetworkNamespacesTests(RunnerTest):
    options = "--network", "host"
    prefix = host_with("max_net_namespaces", 0)

    def test_readiness(self):
        self.runner.stub.CheckReadiness(runner_pb2.CheckReadinessRequest(), timeout=60)

    def test_run(self):
        self.assertEqual(self.action("true").run(), 0)
