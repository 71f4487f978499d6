# SPDX-License-Identifier: Apache-2.0
"""What a launch could leave behind, counted."""
import os
import pwd
import time
from collections import Counter
from pathlib import Path

# Memory that belongs to no process and would be freed with the last file system in it; what others do meanwhile is less.
_SLACK = 16 << 10  # KiB


def look(account: pwd.struct_passwd) -> dict[str, Counter]:
    return {
        "process": _processes(account.pw_uid),
        "mount": Counter(line.split(" ")[4] for line in _lines("/proc/self/mountinfo")),
        "namespace": _namespaces(account.pw_uid),
        "keys": _keys(account.pw_uid),
        "socket": Counter(line.split()[7] for line in _lines("/proc/net/unix")[1:] if len(line.split()) > 7 and "nsrun" in line),
        "descriptor of this": Counter(os.readlink(f"/proc/self/fd/{fd}") for fd in _names("/proc/self/fd")),
        "file": _files(account),
        "memory": Counter({"shared, KiB": _meminfo("Shmem")}),
    }


def settled(account: pwd.struct_passwd, before: dict[str, Counter]) -> dict[str, Counter]:
    """What there is once what keeps itself for a while, and what is just ending, has ended; half a minute is enough."""
    for _ in range(30):
        found = look(account)
        if not found["process"] and not compare(before, found):
            break
        time.sleep(1)
    return found


def compare(before: dict[str, Counter], after: dict[str, Counter]) -> list[str]:
    left = []
    for kind in before and after:
        more = after[kind] - before[kind]
        if kind == "memory":
            more = Counter({name: count for name, count in more.items() if count > _SLACK})
        left += [f"{kind} {name}" + (f" ({count} more)" if count > 1 else "") for name, count in more.items()]
    return left


def _lines(path: str) -> list[str]:
    return Path(path).read_text(errors="surrogateescape").splitlines()


def _names(path: str) -> list[str]:
    """What is listed there, without the descriptor that lists."""
    return [name for name in os.listdir(path) if os.path.lexists(f"{path}/{name}")]


def _own(uid: int) -> "list[str]":
    """The user's processes, but this one and those above it."""
    above, process = set(), os.getpid()
    while process > 1:
        above.add(str(process))
        process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return [name for name in os.listdir("/proc") if name.isdigit() and name not in above and _is_of(name, uid)]


def _is_of(process: str, uid: int) -> bool:
    """By its status: the folder belongs to root where nobody may look into the process, as into pid 1 of a run."""
    try:
        return f"\nUid:\t{uid}\t" in Path(f"/proc/{process}/status").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _processes(uid: int) -> Counter:
    found = Counter()
    for process in _own(uid):
        try:
            found[Path(f"/proc/{process}/comm").read_text().strip()] += 1
        except FileNotFoundError:
            pass
    return found


def _namespaces(uid: int) -> Counter:
    """Those that some process of the user's is in or holds, other than ours; root sees all."""
    found: set[str] = set()
    for process in _own(uid):
        for folder in "ns", "fd":
            try:
                found.update(os.readlink(f"/proc/{process}/{folder}/{name}") for name in os.listdir(f"/proc/{process}/{folder}"))
            except OSError:
                pass
    ours = {os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    return Counter(name.split(":")[0] for name in found - ours if name.split(":")[0] in (
        "user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"))


def _keys(uid: int) -> Counter:
    for line in _lines("/proc/key-users"):
        user, count, *_ = line.split()
        if user == f"{uid}:":
            return Counter({"of the user's": int(count)})
    return Counter()


def _files(account: pwd.struct_passwd) -> Counter:
    found: Counter = Counter()
    home = Path(account.pw_dir)
    for folder in (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path(f"/run/user/{account.pw_uid}"), home,
                   home / ".local/state/nsrun", home / ".cache/nsrun"):
        depth = 3 if folder.name == "nsrun" else 1
        found.update(_below(folder, account.pw_uid, depth))
    for store in home.glob(".nsrun-load-*/data/nsrun/rootfs"):
        found.update(_below(store, account.pw_uid, 1))
    return found


def _below(folder: Path, uid: int, depth: int) -> list[str]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    found = []
    for entry in entries:
        try:
            if entry.stat(follow_symlinks=False).st_uid != uid:
                continue
        except FileNotFoundError:
            continue
        found.append(entry.path)
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            found += _below(Path(entry.path), uid, depth - 1)
    return found


def _meminfo(name: str) -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(name)
