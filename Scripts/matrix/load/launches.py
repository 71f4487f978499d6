# SPDX-License-Identifier: Apache-2.0
"""The kinds of launches, how they are killed, and what is right of one that is not."""
import concurrent.futures
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

AT_ONCE = 8
_CONTENT = ["bin/sh", "usr/bin/true", "usr/lib/x", "etc/passwd"]
IDLE = 2  # seconds for which an idle prepared world is kept

# One launch each: all ways in which the processes of a run hang together differently.
_SHAPES = [
    [], ["--rootfs"], ["--rootfs", "--ephemeral"], ["--rootfs", "--share-pid"], ["--rootfs", "--network", "none"],
    ["--rootfs", "--uid", "0"], ["--rootfs", "--as-pid-1"], ["--rootfs", "--fake-root"], ["--preset", "test"],
    ["--rootfs", "--preset", "action"], ["--preset", "sandbox"], ["--rootfs", "--timeout", "60"],
]


@dataclass
class Failure:
    words: list[str]
    status: int
    output: str

    def __str__(self) -> str:
        return f"{' '.join(self.words)}: status {self.status}: {self.output.strip()[-300:]}"


@dataclass
class Caller:
    """Who launches: an ordinary user with a folder of this script's own."""

    account: pwd.struct_passwd
    nsrun: str
    nsrun_rootfs: str
    rootfs: str
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=".nsrun-load-", dir=self.account.pw_dir))
        (self.folder / "data").mkdir()
        with tarfile.open(self.folder / "small.tar", "w") as archive:
            for name in _CONTENT:
                file = self.folder / "content"
                file.write_text(name * 1000)
                archive.add(file, name)
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self, words: list[str], **more) -> subprocess.Popen:
        home = self.account.pw_dir
        environment = {"HOME": home, "USER": self.account.pw_name, "PATH": "/usr/bin:/bin",
                       "XDG_DATA_HOME": str(self.folder / "data")}
        if os.geteuid() == 0:
            more |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return subprocess.Popen(words, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **more)

    def is_whole(self) -> bool:
        """The root that was imported is there with all that it has, or not at all."""
        root = self.folder / "data/nsrun/rootfs/load"
        return not root.exists() or all((root / name).stat().st_size == 1000 * len(name) for name in _CONTENT)

    def clean_up(self) -> None:
        shutil.rmtree(self.folder)


# What makes the words of one launch, and what it has to print: a pattern.
Start = Callable[[Caller, random.Random, int], "tuple[list[str], str]"]


def single(caller: Caller, choice: random.Random, number: int) -> "tuple[list[str], str]":
    shape = [word for option in choice.choice(_SHAPES) for word in
             ([option, caller.rootfs] if option == "--rootfs" else [option])]
    return [caller.nsrun, *shape, "--", "/bin/sh", "-c", f"sleep 0.01; echo {number}"], f"{number}\n"


def reused(caller: Caller, choice: random.Random, number: int) -> "tuple[list[str], str]":
    name = f"load-{choice.randrange(4)}"
    options = ["--reuse", name, "--reuse-idle", str(IDLE)] if choice.random() < 0.5 else ["--join", name]
    return [caller.nsrun, *options, "--rootfs", caller.rootfs, "--", "/bin/sh", "-c",
            f"sleep 0.01; echo {number}"], f"{number}\n"


def imports(caller: Caller, choice: random.Random, number: int) -> "tuple[list[str], str]":
    """Of several that make one name one succeeds, and the others say so; and it is taken away now and then."""
    if choice.random() < 1 / 3:
        return [caller.nsrun_rootfs, "remove", "--force", "load"], r"|.*(there is none of that name|it is in use).*"
    return [caller.nsrun_rootfs, "import", "--quiet", str(caller.folder / "small.tar"), "load"], r"|.*it already exists.*"


def in_turn(caller: Caller, start: Start, count: int, choice: random.Random, killed: float) -> "tuple[list[Failure], int]":
    """So many launches, a share of which is killed; what was wrong of the others, and how many were."""
    plans = [(number, *start(caller, choice, number), choice.random() < killed, choice.random(), choice.random())
             for number in range(count)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda plan: _launch(caller, *plan[1:]), plans))
    return [failure for failure in found if failure], sum(plan[3] for plan in plans)


def _launch(caller: Caller, words: list[str], right: str, is_killed: bool, moment: float, victim: float) -> "Failure | None":
    process = caller.start(words)
    if is_killed:
        time.sleep(moment * 0.03)
        _kill(process.pid, victim)
    try:
        output = process.communicate(timeout=120)[0]
    except subprocess.TimeoutExpired:
        # It hangs, killed or not.
        os.killpg(process.pid, signal.SIGKILL)
        return Failure(words, -1, "it has not ended after 120 seconds: " + process.communicate()[0])
    # Where nothing is printed all went well; and what is refused, as is right, says why.
    is_right = re.fullmatch(right, output, re.DOTALL) is not None and (process.returncode == 0 or "cannot" in output)
    if is_killed or is_right:
        return None
    return Failure(words, process.returncode, output)


def _kill(launcher: int, victim: float) -> None:
    """One process of a launch: the launcher, or what it has started so far."""
    family = [launcher]
    for process in family:
        try:
            family += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    try:
        os.kill(family[int(victim * len(family))], signal.SIGKILL)
    except ProcessLookupError:
        pass
