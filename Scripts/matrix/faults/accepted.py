# SPDX-License-Identifier: Apache-2.0
"""What is accepted although the world is another one, a message has no remedy, and the like, with the reason.

A row is as narrow as it can be: it is for a class, for calls of certain processes with certain errors, and for a
difference of certain lines alone: each line that differs must match. What no row accepts fails the script.
"""
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from judge import ANYHOW, DEBRIS, REMEDY, SAME, WORLD


# What a command may do in this world and could not in the right one: no row accepts that.
_WEAKER = re.compile(r"\+ (open \S+ w\tyes|namespace \S+\thost's|\S+ Seccomp\t|descriptor \d+\t\S)")


@dataclass(frozen=True)
class Accepted:
    kind: str
    modes: str  # patterns of the shell, separated by spaces; so are roles and calls
    roles: str
    calls: str
    errors: str
    reason: str
    # Regular expressions. Some argument of the call; each line that differs, with its sign; the words.
    argument: str = ""
    difference: str = ""
    words: str = ""

    def covers(self, result: "dict") -> bool:
        return (
            result["class"] == self.kind
            and _is_among(self.modes, result["mode"])
            and _is_among(self.roles, result["role"])
            and _is_among(self.calls, result["call"])
            and _is_among(self.errors, result["errno"])
            and (not self.argument or any(re.fullmatch(self.argument, word) for word in result["arguments"]))
            and not any(map(_WEAKER.match, result["difference"]))
            and all(re.match(r"[-+] (" + self.difference + ")", line) for line in result["difference"])
            and (not self.words or re.search(self.words, "\n".join(result["words"])) is not None)
        )


def _is_among(patterns: str, word: str) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns.split())


# Which steps are about a mount that is made detached first (fsopen(2), open_tree(2)) or else by mount(2).
_MOUNT_CALLS = "fsopen fsconfig fsmount open_tree move_mount mount_setattr"

ACCEPTED = [
    Accepted(
        WORLD, "*", "0", "prctl", "EPERM EINVAL",
        "libcap asks the kernel in this way how many capabilities there are (PR_CAPBSET_READ, 23): by such an answer"
        " the one it asked for does not exist, and what does not exist is not dropped",
        argument="23", difference=r"(own|pid 1) Cap(Bnd|Inh|Prm|Eff|Amb)\t",
    ),
    Accepted(
        WORLD, "*", "*", _MOUNT_CALLS, "EPERM ENOSYS",
        "that this kernel, or a container, has no detached mounts is found out by trying. mount(2) does the same, but"
        " devices have the flags of the mount they are in, mounts of the host's below others come along, and where no"
        " sysfs can be had the host's network devices are covered in the one it shows",
        difference=r"mount (/run/host)?/dev/(full|null|random|tty|urandom|zero|pts|shm)\t"
        r"|mount (/run/host)?/sys(/(class|devices)/\S*net|/fs/cgroup\S*)?\t|mount /\tfuse\S* ro,nosuid,nodev,",
    ),
    Accepted(
        WORLD, "*", "*", "open_tree mount_setattr move_mount fstat sendmsg", "*",
        "the host's file is copied where it cannot be bound: its text is the same, and as read-only",
        difference=r"mount /etc/(resolv\.conf|hosts)\t\S+ ro,nosuid,nodev,(noexec,)?(relatime|noatime)$",
    ),
    Accepted(
        WORLD, "*", "*", "newfstatat", "EACCES EIO",
        "whether there is a file to bind onto cannot be told, so /etc gets a layer in which one can be made: its files"
        " are the same, and as read-only",
        argument=r"passwd|group|resolv\.conf|hosts", difference=r"mount /etc\t(overlay|ext4|tmpfs) ro,",
    ),
    Accepted(
        WORLD, "*", "*", f"{_MOUNT_CALLS} mkdirat openat", "*",
        "where that layer cannot be an overlay, the files are bound or copied into a new directory: they are the same",
        difference=r"mount /etc(/hosts|/resolv\.conf)?\t(overlay|tmpfs|ext4) r",
    ),
    Accepted(
        WORLD, "action fake-root", "*", "mkdirat mknodat", "EROFS EACCES",
        "a directory of the root that you cannot write is shown in a new one, where places for mounts can be made",
        difference=r"mount /\S*\t|open (/etc)?/probe w\t",
    ),
    Accepted(
        WORLD, "*", "*", "openat", "ENOENT",
        "a place that is not in a root is none to mount on, and a root without it is a root",
        argument=r"etc|proc|root|dev|sys|usr|tmp|var|home|lib|run",
    ),
    Accepted(
        WORLD, "*", "*", "openat", "ENOENT",
        "what is no longer there when it is to be made read-only has been hidden by a later mount",
        argument=r"\.", difference=r"mount /home\ttmpfs r[ow],",
    ),
    Accepted(
        WORLD, "*", "*", "openat", "EACCES ENOENT",
        "a root's passwd or group that you may not read, or that is not there, says nothing of anybody: the entry of"
        " yours is all that there is to show",
        argument=r"/proc/self/fd/\d+", difference=r"text /etc/(passwd|group)\t",
    ),
    Accepted(
        WORLD, "*", "*", "openat write", "EACCES ENOENT EPERM",
        "in a container the limits of namespaces may be missing or read-only; they keep nobody from the host, and"
        " --verbose says so",
        argument=r"sys/user|max_user_namespaces|1024", difference=r"text /proc/sys/user/max_user_namespaces\t",
    ),
    Accepted(
        WORLD, "*", "*", "openat2 fchdir", "EACCES",
        "a home that you may not enter is no place to start in where none was asked for",
        argument=r"/\S+/home", difference=r"directory\t/|variable PWD\t=/",
    ),
    Accepted(
        WORLD, "test toolbox data", "0", "stat readlink", "EACCES",
        "a place of the host's that you may not look at is none to show",
        argument=r"/\S+", difference=r"mount (/run/host)?/\S+\t|directory /\S*\t|text /etc/\S+\t",
    ),
    Accepted(
        WORLD, "*", "0", "stat", "ENOMEM EIO EINTR",
        "a directory that servers have their sockets in, of which cannot be told whether it is there, is hidden as if it"
        " were",
        argument=r"/(run|tmp)/\S+", difference=r"(directory|mount) /(run|tmp)(/\S*)?\t",
    ),
    Accepted(
        REMEDY, "squashfs", "0.2*", "openat openat2 getdents64 newfstatat readlinkat faccessat read", "EIO",
        "what cannot be read below this root is the squashfs, unless a message is about what is not in it",
        words=r"^nsrun: (?!cannot (allow|write|enter)).*the squashfs \S+ is damaged",
    ),
    Accepted(
        SAME + DEBRIS, "*", "0", "flock", "EWOULDBLOCK",
        "a place that another run has locked is that run's to take away",
        argument=r"6",
    ),
    Accepted(
        REMEDY, "hpc-joiner", "0", "stat", "ENOMEM EIO",
        "a file of the host's of which cannot be told whether it is there is shown as if it were, and so the group's is"
        " another world",
        argument=r"/etc/\S+", words=r"cannot join the group \S+: it was set up to see ",
    ),
    Accepted(
        REMEDY, "data", "0", "write", "EIO",
        "a descriptor that was given is the giver's affair, whatever lies behind it",
        words=r"cannot tell of the run to descriptor \d+: .*\n.*whoever gave it",
    ),
    Accepted(
        ANYHOW, "*", "*", "wait4 waitid", "ECHILD",
        "who waits and has no child cannot know how it ended, and a status of 0 would be a guess",
        words=r"cannot wait for the command: .*\n  ",
    ),
]


def accepted_by(result: "dict") -> Accepted | None:
    return next((row for row in ACCEPTED if row.covers(result)), None)
