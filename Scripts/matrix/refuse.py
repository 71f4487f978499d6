#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""refuse.py [CALL[=ERROR]]... -- COMMAND [ARG]...

Runs a command where the kernel refuses these system calls, with EPERM unless another error is named.
The refusals are real, made for this command and what it starts alone, and need no privilege:

  limit        no user namespace may be made: ENOSPC, by a max_user_namespaces of 0 in the command's own
               user namespace, in which it has no capabilities
  exhausted    no more of them: ENOSPC, by a parent namespace's max_user_namespaces, which is used up
  namespaces   unshare(2) and clone(2) with flags of new namespaces; clone3(2), whose flags no filter
               can see, is not there at all (ENOSYS), as in containers
  mounts       all that mounts
  CALL         any other system call of the table below

Used by the tests and by engines.sh.
"""
import ctypes
import errno
import os
import platform
import signal
import struct
import sys

NEW_NAMESPACES = 0x7E020080  # CLONE_NEW* of clone(2)
GROUPS = {
    "namespaces": ["unshare", "clone", "clone3"],
    "mounts": [
        "mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig",
        "fsmount", "fspick", "mount_setattr",
    ],
}
NUMBERS = {
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442,
}
NUMBERS |= {
    "x86_64": {
        "clone": 56, "ptrace": 101, "pivot_root": 155, "mount": 165, "umount2": 166, "unshare": 272,
    },
    "aarch64": {
        "clone": 220, "ptrace": 117, "pivot_root": 41, "mount": 40, "umount2": 39, "unshare": 97,
    },
}[platform.machine()]

LOAD, IF_EQUAL, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000


def rule(call, error):
    """Instructions for one call; the accumulator holds its number before and after."""
    refuse = (RETURN, 0, 0, REFUSE | error)
    if call not in ("clone", "unshare"):
        return [(IF_EQUAL, 0, 1, NUMBERS[call]), refuse]
    # The flags are the first argument.
    return [
        (IF_EQUAL, 0, 4, NUMBERS[call]),
        (LOAD, 0, 0, 16), (IF_ANY_BIT, 0, 1, NEW_NAMESPACES), refuse, (RETURN, 0, 0, ALLOW),
    ]


def install_filter(rules):
    """See seccomp(2)."""
    program = [(LOAD, 0, 0, 0)]
    for call, error in rules:
        program += rule(call, error)
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in [(38, 1, 0, 0, 0), (22, 2, ctypes.c_char_p(filters))]:
        if libc.prctl(*arguments) != 0:
            sys.exit("prctl: " + os.strerror(ctypes.get_errno()))


def enter_limited():
    """A user namespace in which there may be none below; the command loses its capabilities with execve(2)."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    for name, text in [
        ("self/setgroups", "deny"),
        ("self/gid_map", f"{group} {group} 1"),
        ("self/uid_map", f"{user} {user} 1"),
        ("sys/user/max_user_namespaces", "0"),
    ]:
        with open("/proc/" + name, "w", encoding="ascii") as file:
            file.write(text)


def exhausted(command):
    """The command where this parent's namespaces are all there may be."""
    own = f"exec unshare --map-user={os.getuid()} --map-group={os.getgid()} \"$@\""
    script = "echo 1 >/proc/sys/user/max_user_namespaces && " + own
    return ["unshare", "-Ur", "sh", "-c", script, "sh"] + command


def main():
    end = sys.argv.index("--")
    command = sys.argv[end + 1:]
    rules = []
    for word in sys.argv[1:end]:
        name, _, error = word.partition("=")
        if name == "limit":
            enter_limited()
            continue
        if name == "exhausted":
            command = exhausted(command)
            continue
        for call in GROUPS.get(name, [name]):
            code = "ENOSYS" if call == "clone3" else error or "EPERM"
            rules.append((call, getattr(errno, code)))
    if rules and command[0] == "unshare":
        # The filter is for the command, not for what makes its parent.
        at = command.index("sh", 4) + 1
        command[at:] = [sys.executable, __file__] + [
            w for w in sys.argv[1:end] if w not in ("limit", "exhausted")] + ["--"] + command[at:]
    elif rules:
        install_filter(rules)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    os.execvp(command[0], command)


main()
