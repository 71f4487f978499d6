// SPDX-License-Identifier: Apache-2.0
//
// The filters that are nsrun's own. Made before the clone, by libseccomp, which knows the numbers of every call
// on every architecture that this kernel runs.
//
// - Behind --fake-root: calls that only real root could make appear to succeed, so that dpkg, apt and tar work
//   with a single mapped id.
// - Around the server of an image, which reads what a stranger has made (imageserver.c).
// - Around the relay, which a stranger's program talks to (relay.c).
// - On a terminal: nothing is typed in there for the shell that nsrun was started from (CVE-2017-5226).

#define _GNU_SOURCE
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "filter.h"
#include "include/host.h"
#include "syscalls.h"

static const int faked[] = {
    SCMP_SYS(chown),     SCMP_SYS(lchown),      SCMP_SYS(fchown),     SCMP_SYS(fchownat),
    SCMP_SYS(chown32),   SCMP_SYS(lchown32),    SCMP_SYS(fchown32),   SCMP_SYS(setuid),
    SCMP_SYS(setgid),    SCMP_SYS(setreuid),    SCMP_SYS(setregid),   SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setfsuid),    SCMP_SYS(setfsgid),   SCMP_SYS(setuid32),
    SCMP_SYS(setgid32),  SCMP_SYS(setreuid32),  SCMP_SYS(setregid32), SCMP_SYS(setresuid32),
    SCMP_SYS(setresgid32), SCMP_SYS(setfsuid32), SCMP_SYS(setfsgid32), SCMP_SYS(setgroups),
    SCMP_SYS(setgroups32), SCMP_SYS(capset),
};

/// mknod and mknodat of devices only: fifos, sockets and files are made for real.
static int fake_device_nodes(scmp_filter_ctx filter) {
    static const unsigned kinds[] = {S_IFCHR, S_IFBLK};
    for (int i = 0; i < 2; i++) {
        int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknod), 1,
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
        if (error == 0)
            error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknodat), 1,
                                     SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
        if (error < 0)
            return error;
    }
    return 0;
}

/// The other tables of system calls that programs on this machine may use.
static int add_architectures(scmp_filter_ctx filter) {
    static const uint32_t others[] = {
#if defined(__x86_64__)
        SCMP_ARCH_X86, SCMP_ARCH_X32,
#elif defined(__aarch64__)
        SCMP_ARCH_ARM,
#endif
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        int error = seccomp_arch_add(filter, others[i]);
        if (error < 0 && error != -EEXIST)
            return error;
    }
    return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
}

static int fake_root(scmp_filter_ctx filter) {
    int error = fake_device_nodes(filter);
    for (size_t i = 0; i < sizeof faked / sizeof faked[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), faked[i], 0);
    return error;
}

/// The kernel looks at the lower half of a request alone.
static int forbid_typing(scmp_filter_ctx filter) {
    static const unsigned requests[] = {TIOCSTI, TIOCLINUX};
    int error = 0;
    for (int i = 0; i < 2 && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
    return error;
}

static const int changing[] = {
    SCMP_SYS(creat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(mknod), SCMP_SYS(mknodat),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
    SCMP_SYS(truncate), SCMP_SYS(truncate64), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(chown), SCMP_SYS(chown32), SCMP_SYS(lchown), SCMP_SYS(lchown32), SCMP_SYS(fchown),
    SCMP_SYS(fchown32), SCMP_SYS(fchownat), SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(futimesat),
    SCMP_SYS(utimensat), SCMP_SYS(utimensat_time64), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr),
    SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr),
    // The first can name flags that no filter sees, the second makes any call.
    SCMP_SYS(openat2), SCMP_SYS(io_uring_setup),
    SCMP_SYS(socket), SCMP_SYS(socketcall),
    SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
};

static int forbid_changes(scmp_filter_ctx filter) {
    static const unsigned flags[][2] = {
        {O_ACCMODE, O_WRONLY}, {O_ACCMODE, O_RDWR}, {O_ACCMODE, O_ACCMODE}, {O_CREAT, O_CREAT}, {O_TRUNC, O_TRUNC},
    };
    int error = 0;
    for (size_t i = 0; i < sizeof changing / sizeof changing[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), changing[i], 0);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, flags[i][0], flags[i][1]));
        if (error == 0)
            error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
                                     SCMP_A2(SCMP_CMP_MASKED_EQ, flags[i][0], flags[i][1]));
    }
    return error;
}

static const int relaying[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(accept4), SCMP_SYS(connect),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(splice), SCMP_SYS(pipe2),
    SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(write), SCMP_SYS(close),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/// The other way round than the others: what is not named is denied, and so are calls of other architectures.
static int forbid_all_but_relaying(scmp_filter_ctx filter) {
    int error = seccomp_reset(filter, SCMP_ACT_ERRNO(EPERM));
    for (size_t i = 0; i < sizeof relaying / sizeof relaying[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, relaying[i], 0);
    static const unsigned families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2 && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i], 0));
    return error;
}

ssize_t nsrun_make_filter(enum nsrun_filter kind, char *program, size_t capacity) {
    static int (*const makers[])(scmp_filter_ctx filter) = {
        [NSRUN_FILTER_FAKE_ROOT] = fake_root,
        [NSRUN_FILTER_FAKE_DEVICES] = fake_device_nodes,
        [NSRUN_FILTER_SERVER] = forbid_changes,
        [NSRUN_FILTER_TERMINAL] = forbid_typing,
        [NSRUN_FILTER_RELAY] = forbid_all_but_relaying,
        [NSRUN_FILTER_DEFAULT] = nsrun_default_profile,
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL)
        return -ENOMEM;
    int error = add_architectures(filter);
    if (error == 0)
        error = makers[kind](filter);
    const ssize_t length = error == 0 ? nsrun_export_filter(filter, program, capacity) : error;
    seccomp_release(filter);
    return length;
}
