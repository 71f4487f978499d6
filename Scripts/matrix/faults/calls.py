# SPDX-License-Identifier: Apache-2.0
"""Which system calls are made to fail, and how: the errors that each may give on a real machine."""
import errno
import re
import subprocess

# These cannot fail, or do not return.
NEVER = frozenset(
    "arch_prctl exit exit_group getegid geteuid getgid getpgid getpgrp getpid getppid getsid gettid getuid"
    " restart_syscall rt_sigreturn sched_yield set_tid_address umask".split()
)

# In place of an error: the process is killed when it has made the call.
KILLED = "KILL"

# The kernel does their work whatever it answers.
DONE_ANYWAY = frozenset(["close"])

_ERRORS = """
    open            EMFILE EACCES EIO ENOENT
    openat          EMFILE EACCES EIO ENOENT EINTR
    openat2         EMFILE EACCES EIO ENOSYS EAGAIN
    read            EIO EINTR
    pread64         EIO
    write           EIO ENOSPC EINTR EPERM
    writev          EIO ENOSPC
    close           EIO
    close_range     ENOSYS ENOMEM
    lseek           EINVAL
    ftruncate       EIO
    sendfile        EIO
    fadvise64       EINVAL

    stat            EACCES EIO ENOMEM
    lstat           EACCES EIO
    fstat           EIO ENOMEM
    newfstatat      EACCES EIO
    statx           EACCES EIO ENOSYS
    statfs fstatfs  EIO
    access faccessat faccessat2  EACCES EIO
    readlink readlinkat  EIO EACCES
    getcwd          ENOENT ENOMEM
    getdents64      EIO
    mkdir mkdirat   ENOSPC EACCES EROFS EIO
    mknod mknodat   ENOSPC EACCES EPERM
    symlink symlinkat  ENOSPC EACCES
    link linkat     ENOSPC EPERM
    unlink unlinkat EACCES EIO
    rmdir           EACCES EBUSY
    rename renameat renameat2  ENOSPC EACCES
    chmod fchmodat  EPERM EROFS
    fchmod          EPERM
    chown fchown fchownat  EPERM
    chdir           EACCES ENOMEM
    fchdir          EACCES EIO
    setxattr fsetxattr  ENOSPC EPERM
    flock           ENOLCK EINTR EWOULDBLOCK
    fcntl           EMFILE EINVAL
    ioctl           EPERM ENOTTY EIO
    inotify_init1   EMFILE

    dup dup3        EMFILE
    dup2            EMFILE EINTR
    pipe pipe2      EMFILE ENFILE
    memfd_create    EMFILE ENOMEM EACCES
    timerfd_create  EMFILE
    signalfd4       EMFILE ENOMEM
    eventfd2        EMFILE
    epoll_create1   EMFILE
    epoll_ctl       ENOSPC ENOMEM
    epoll_wait epoll_pwait  EINTR
    poll ppoll      EINTR ENOMEM
    socket          EMFILE EACCES EAFNOSUPPORT
    socketpair      EMFILE ENOMEM
    bind            EADDRINUSE EACCES ENOMEM
    listen          EADDRINUSE
    connect         EINTR EAGAIN ECONNREFUSED EACCES
    accept4         EMFILE EINTR ECONNABORTED
    sendmsg         EINTR ENOMEM ETOOMANYREFS EPIPE
    sendto          EINTR ENOMEM EPIPE
    recvmsg recvfrom  EINTR ENOMEM ECONNRESET
    getsockopt      ENOMEM ENOPROTOOPT

    clone           EAGAIN ENOMEM EPERM ENOSPC EINVAL
    clone3 fork     EAGAIN
    vfork           EAGAIN ENOMEM
    execve execveat EACCES ENOENT ENOMEM EAGAIN E2BIG ETXTBSY
    wait4 waitid    EINTR ECHILD
    pidfd_open      EMFILE ENOSYS ESRCH
    kill pidfd_send_signal  EPERM ESRCH
    rt_sigqueueinfo EPERM EAGAIN
    rt_sigtimedwait EINTR EAGAIN
    rt_sigprocmask rt_sigaction  EINVAL
    setitimer timer_create timer_settime  EAGAIN
    nanosleep clock_nanosleep  EINTR
    clock_gettime sched_getaffinity getgroups personality getrlimit  EINVAL
    uname           EFAULT
    brk mmap munmap mprotect mremap  ENOMEM
    prlimit64       EPERM EINVAL
    setrlimit       EPERM

    unshare         EPERM ENOMEM ENOSPC EUSERS EINVAL
    setns           EPERM ENOMEM EINVAL
    mount           EPERM ENOMEM EINVAL ENOSPC EBUSY
    umount2 pivot_root  EPERM EINVAL EBUSY
    fsopen          EPERM ENOMEM ENODEV EMFILE ENOSYS
    fsconfig        EPERM EINVAL ENOMEM
    fsmount         EPERM ENOMEM EMFILE EBUSY
    open_tree       EPERM ENOMEM EACCES EMFILE ENOSYS EINVAL
    move_mount      EPERM ENOMEM EINVAL ENOSPC ENOSYS EBUSY
    mount_setattr   EPERM ENOMEM EINVAL ENOSYS
    prctl seccomp   EPERM EINVAL
    capget capset   EPERM
    keyctl          EDQUOT ENOMEM ENOSYS
    setsid setpgid sethostname setresgid setgroups  EPERM
    setresuid       EAGAIN EPERM
    landlock_create_ruleset  ENOSYS EOPNOTSUPP EMFILE
    landlock_add_rule  ENOMEM
    landlock_restrict_self  EPERM E2BIG
"""


def _table() -> dict[str, list[str]]:
    table = {}
    for line in filter(str.strip, _ERRORS.splitlines()):
        words = line.split()
        errors = [word for word in words if hasattr(errno, word)]
        for call in words[: len(words) - len(errors)]:
            table[call] = errors
    return table


_TABLE = _table()


def errors_of(call: str) -> list[str]:
    """The errors that a call is made to give. One that nobody thought of is refused, as a filter would."""
    return [] if call in NEVER else _TABLE.get(call, ["EPERM"])


def names() -> dict[int, str]:
    """The calls of this machine by their numbers, as the C compiler knows them."""
    text = subprocess.run(
        ["cc", "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"],
        capture_output=True, text=True, check=True,
    ).stdout
    return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}
