# SPDX-License-Identifier: Apache-2.0
"""Where launches are tried: roots, folders and tools below the account's home, and what is looked at after each run.

Made by root in a mount namespace of its own (see faults.sh): what is mounted here is seen nowhere else.
"""
import errno
import os
import pwd
import select
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import calls
from judge import Run, Usual
from modes import Mode

_SOURCES = Path(__file__).parent
# These are this bench's own, so that whatever is in them was left by a run.
_COMMON = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock")
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time")
# BPF_RET, SECCOMP_RET_ALLOW: a filter that allows everything.
_FILTER = bytes([6, 0, 0, 0, 0, 0, 0xFF, 0x7F])


def tell(*words: object) -> None:
    print(*words, flush=True)


class Bench:
    def __init__(self, account: str, nsrun: str, debian: str | None, proot: str | None, seconds: int):
        self.user = pwd.getpwnam(account)
        self.seconds = seconds
        self.where = Path(self.user.pw_dir) / "faults"
        self.environment = {
            "HOME": str(self.where / "home"), "PATH": "/usr/local/bin:/usr/bin:/bin", "USER": account,
            "LANG": "C.UTF-8",
        }
        self.names = calls.names()
        self.holder: subprocess.Popen | None = None
        self.holders: frozenset[str] = frozenset()  # files of the holder's, which are not to be cleaned away
        self.mode: Mode | None = None
        for name in ("tools", "out", "home", "cwd", "input", "own", "tiny", "debian"):
            (self.where / name).mkdir(parents=True)
        self._make_tools(nsrun)
        self._make_roots()
        self.places = {name: str(self.where / name) for name in ("home", "cwd", "input", "own", "tiny")}
        tools = ("nsrun", "bwrap", "probe", "plant", "variables")
        self.places |= {name: str(self.where / "tools" / name) for name in tools}
        self.places |= {"squashfs": str(self.where / "tiny.squashfs"), "account": account}
        self.places["host"] = "".join(f"{name}:{os.stat('/proc/self/ns/' + name).st_ino}," for name in _NAMESPACES)
        if debian:
            # The account need not reach it where it lies.
            subprocess.run(["mount", "--rbind", debian, self.where / "debian"], check=True)
            self.places["debian"] = str(self.where / "debian")
        if proot:
            self.environment["NSRUN_PROOT"] = self.places["proot"] = proot
        for folder in _COMMON:
            if os.path.isdir(folder):
                subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "nsrun-faults", folder], check=True)
        self.pristine = {name: self._listing(name) for name in ("input", "own")}

    # ---- What is there ----

    def _make_tools(self, nsrun: str) -> None:
        tools = self.where / "tools"
        shutil.copy(nsrun, tools / "nsrun")
        (tools / "bwrap").symlink_to("nsrun")
        for name, options in (("tracer", []), ("probe", ["-static"]), ("plant", ["-static"])):
            source = _SOURCES / f"{name}.c"
            # glibc warns of name services in static programs, of which probe.c uses none.
            subprocess.run(["cc", "-O2", *options, "-o", tools / name, source], check=True)
        (tools / "filter").write_bytes(_FILTER)
        (tools / "text").write_text("some text\n")
        (tools / "variables").write_text("FAULTS=yes\n")

    def _make_roots(self) -> None:
        for root in (self.where / "tiny", self.where / "own"):
            for name in "bin dev etc home lib proc root run sys tmp usr/bin usr/lib var/tmp".split():
                (root / name).mkdir(parents=True)
            for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("group", "root:x:0:\n")):
                (root / "etc" / name).write_text(text)
            (root / "etc/hosts").touch()
            (root / "etc/resolv.conf").touch()
        (self.where / "input/bin").mkdir()
        for root in ("tiny", "own", "input"):
            shutil.copy(self.where / "tools/probe", self.where / root / "bin/probe")
        subprocess.run(
            ["mksquashfs", self.where / "tiny", self.where / "tiny.squashfs", "-quiet", "-no-progress"],
            stdout=subprocess.DEVNULL, check=True,
        )
        for name in ("home", "cwd", "input", "own"):
            subprocess.run(["chown", "-R", f"{self.user.pw_uid}:{self.user.pw_gid}", self.where / name], check=True)
        for name in ("input", "own"):
            subprocess.run(["cp", "-a", self.where / name, self.where / "tools"], check=True)

    # ---- What a run could leave ----

    def _listing(self, name: str) -> set[str]:
        found = set()
        for folder, folders, files in os.walk(self.where / name):
            for entry in folders + files:
                path = os.path.join(folder, entry)
                status = os.lstat(path)
                size = status.st_size if stat.S_ISREG(status.st_mode) else 0
                kind = "socket" if stat.S_ISSOCK(status.st_mode) else "file"
                found.add(f"{kind} {os.path.relpath(path, self.where)} {status.st_mode:o} {size}")
        return found

    def state(self) -> set[str]:
        """Files and mounts. Processes are the tracer's to find, and with them what lives as long as they do, such as an
        abstract socket."""
        found = set().union(*(self._listing(name) for name in ("home", "cwd", "input", "own")))
        for folder in _COMMON:
            if os.path.isdir(folder):
                found.update("file " + entry.path for entry in os.scandir(folder))
        with open("/proc/self/mountinfo") as mounts:
            found.update("mount " + " ".join(line.split()[4:6]) for line in mounts)
        return found

    def _cleaned(self) -> list[Path]:
        folders = [*map(Path, _COMMON), self.where / "cwd"]
        if "home" not in self.pristine:
            folders.append(self.where / "home")
        return [folder for folder in folders if folder.is_dir()]

    def clean(self) -> None:
        spoiled = self.mode.spoils if self.mode else ()
        if "home" in self.pristine:
            spoiled += ("home",)
        for folder in self._cleaned():
            for entry in os.scandir(folder):
                if entry.path in self.holders:
                    continue
                if os.path.ismount(entry.path):
                    subprocess.run(["umount", "--lazy", "--recursive", entry.path], check=True)
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        for name in spoiled:
            if self._listing(name) != self.pristine[name]:
                shutil.rmtree(self.where / name)
                subprocess.run(["cp", "-a", self.where / "tools" / name, self.where], check=True)
        if self.mode and self.mode.name == "overlay-dir":
            (self.where / "cwd/layer").mkdir()
            os.chown(self.where / "cwd/layer", self.user.pw_uid, self.user.pw_gid)

    # ---- Runs ----

    def enter(self, mode: Mode) -> None:
        """Makes everything ready for runs of a mode; `leave` ends that."""
        self.mode = mode
        self.clean()
        if mode.is_warm:
            self.run()
            subprocess.run(["cp", "-a", self.where / "home", self.where / "tools"], check=True)
            self.pristine["home"] = self._listing("home")
        if not mode.is_joined:
            return
        words = mode.words[: mode.words.index("probe")] + ["probe", "--hold"]
        self.holder = subprocess.Popen(
            [word.format_map(self.places) for word in words], env=self.environment, cwd=self.where / "cwd",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
            user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[],
        )
        if not select.select([self.holder.stdout], [], [], 30)[0]:
            sys.exit(f"faults.sh: nothing holds the world of {mode.name}")
        self.holders = frozenset(
            entry.path for folder in self._cleaned() for entry in os.scandir(folder)
        )

    def leave(self) -> None:
        if self.holder:
            self.holder.kill()
            self.holder.wait()
            self.holder.stdout.close()
            # What serves the group ends when it sees that no member is left.
            time.sleep(0.5)
        if self.pristine.pop("home", None):
            shutil.rmtree(self.where / "tools/home")
        self.mode = self.holder = None
        self.holders = frozenset()

    def run(self, role: str = "0", number: int = -1, occurrence: int = 0, error: str = "", seconds: int = 0) -> Run:
        """One launch, in which one call fails unless `number` is -1: then it tells of all calls. With the error
        `calls.KILLED` the process is killed after it."""
        self.clean()
        seconds = seconds or self.seconds
        how = "k" if error == calls.KILLED else "x" if self.names.get(number) in calls.DONE_ANYWAY else "s"
        tools, out = self.where / "tools", self.where / "out"
        descriptors = {
            name: os.open(tools / name.rstrip("2"), os.O_RDONLY) for name in ("filter", "text", "text2")
        }
        descriptors |= {name: os.open(out / name, os.O_RDWR | os.O_CREAT) for name in ("report", "report2")}
        words = self.mode.words
        passed = [fd for name, fd in descriptors.items() if f"{{{name}}}" in words]
        command = [word.format_map(self.places | descriptors) for word in words]
        uid, gid = (0, 0) if self.mode.as_root else (self.user.pw_uid, self.user.pw_gid)
        try:
            with open(out / "out", "wb") as stdout, open(out / "err", "wb") as stderr:
                subprocess.run(
                    [
                        tools / "tracer", str(uid), str(gid), str(seconds), out / "calls", role, str(number),
                        str(occurrence), str(getattr(errno, error, 0)), how + ("" if self.mode.traces_children else "c"), "--", *command,
                    ],
                    stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, pass_fds=passed, env=self.environment,
                    cwd=self.where / "cwd", start_new_session=True, timeout=seconds + 20, check=True,
                )
        finally:
            for fd in descriptors.values():
                os.close(fd)
        return self._read(out)

    def _read(self, out: Path) -> Run:
        run = Run(out=(out / "out").read_text(errors="replace"), err=(out / "err").read_text(errors="replace"))
        for line in (out / "calls").read_text(errors="replace").splitlines():
            what, *fields = line.split("\t")
            match what:
                case "call":
                    run.calls.append(fields)
                case "fired":
                    run.has_met = True
                case "status":
                    run.status = int(fields[0])
                case "left":
                    run.left.append("process " + fields[1].strip())
                case "hung":
                    run.hung.append(f"{fields[0]} hangs in {self.names.get(int(fields[1]), 'its own code')}")
        return run

    def learn(self, mode: Mode) -> tuple[list[list[str]], Usual, set[str]]:
        """What a mode does where nothing fails: its calls, its world, and what it leaves by design."""
        first = self.run()
        if first.status != 0:
            sys.exit(f"faults.sh: the mode {mode.name} does not work here: {first.err.strip()[:500]}")
        left = self.state()
        if first.left:
            sys.exit(f"faults.sh: the mode {mode.name} leaves {first.left}")
        usual = Usual(frozenset(first.out.splitlines()))
        for _ in range(3):
            usual = usual.widened(self.run().out)
        return first.calls, usual, left
