// SPDX-License-Identifier: Apache-2.0
//
// Which system calls a program may make that nobody vouches for: nsrun's own list, in the way that container engines have
// one, and the builder for what a file says (Features/Confinement). By libseccomp, which knows the numbers of every
// call on every architecture that this kernel runs.

#define _GNU_SOURCE
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "filter.h"
#include "include/host.h"

/// A program that meets ENOSYS does without.
static const int absent[] = {
    // Its flags lie in memory, where no filter sees them; the C library then uses clone(2), whose flags are looked at.
    SCMP_SYS(clone3),
    // Makes calls that no filter sees.
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    // Mounting, the newer way.
    SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
};

static const int denied[] = {
    // Namespaces and mounts: more of the kernel is within reach of who is root in one of his own.
    SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(setns), SCMP_SYS(unshare),
    SCMP_SYS(chroot),
    // Files by number, past the directories that they lie in (CVE-2014-3519, "shocker").
    SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
    // Code in the kernel, and what its exploits are made with.
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(create_module),
    SCMP_SYS(query_module), SCMP_SYS(get_kernel_syms), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(lookup_dcookie), SCMP_SYS(uselib),
    // Keys belong to no namespace.
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    // The machine's own: its clock, its swap, its quotas, its log, its ports, its end.
    SCMP_SYS(settimeofday), SCMP_SYS(stime), SCMP_SYS(clock_settime), SCMP_SYS(clock_settime64),
    SCMP_SYS(clock_adjtime), SCMP_SYS(clock_adjtime64), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd), SCMP_SYS(syslog), SCMP_SYS(acct), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(reboot),
    SCMP_SYS(vhangup), SCMP_SYS(nfsservctl),
    // What files others open.
    SCMP_SYS(fanotify_init),
    // What two processes share, from which addresses in the kernel have been guessed.
    SCMP_SYS(kcmp),
    // Kept by the kernel for programs of another time.
    SCMP_SYS(sysfs), SCMP_SYS(_sysctl), SCMP_SYS(ustat), SCMP_SYS(vm86), SCMP_SYS(vm86old),
    // Sockets of 32-bit programs whose kind no filter sees; newer ones call socket(2).
    SCMP_SYS(socketcall),
};

/// The arguments are ints: the kernel looks at their lower halves alone.
static int deny_if(scmp_filter_ctx filter, int error, int call, unsigned argument, unsigned mask, unsigned value) {
    const struct scmp_arg_cmp compared = {argument, SCMP_CMP_MASKED_EQ, mask, value};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), call, 1, &compared);
}

/// Local ones, the internet's and those by which programs ask for their own network's interfaces. The kernel has some forty
/// others, most of them seldom looked at, and AF_VSOCK leads to what this machine itself runs in.
static int limit_sockets(scmp_filter_ctx filter) {
    static const unsigned allowed = 1u << AF_UNSPEC | 1u << AF_UNIX | 1u << AF_INET | 1u << AF_INET6 | 1u << AF_NETLINK;
    const struct scmp_arg_cmp beyond = {0, SCMP_CMP_GT, AF_NETLINK, 0};
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &beyond);
    for (unsigned family = 0; family < AF_NETLINK && error == 0; family++)
        if (!(allowed >> family & 1))
            error = deny_if(filter, EAFNOSUPPORT, SCMP_SYS(socket), 0, UINT32_MAX, family);
    return error;
}

/// New namespaces by clone(2), and words typed into a terminal.
static int deny_by_argument(scmp_filter_ctx filter) {
    static const unsigned namespaces[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
                                          CLONE_NEWCGROUP};
    static const unsigned requests[] = {TIOCSTI, TIOCLINUX};
    int error = 0;
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0] && error == 0; i++)
        error = deny_if(filter, EPERM, SCMP_SYS(clone), 0, namespaces[i], namespaces[i]);
    for (size_t i = 0; i < 2 && error == 0; i++)
        error = deny_if(filter, EPERM, SCMP_SYS(ioctl), 1, UINT32_MAX, requests[i]);
    return error;
}

int nsrun_default_profile(scmp_filter_ctx filter) {
    int error = 0;
#if defined(__x86_64__)
    // Next to nothing is built for it, and no engine lets it in.
    error = seccomp_arch_remove(filter, SCMP_ARCH_X32);
#endif
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    for (size_t i = 0; i < sizeof absent / sizeof absent[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), absent[i], 0);
    for (size_t i = 0; i < sizeof denied / sizeof denied[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
    if (error == 0)
        error = limit_sockets(filter);
    return error == 0 ? deny_by_argument(filter) : error;
}

// MARK: What a file says

void *nsrun_profile_begin(uint32_t default_action) { return seccomp_init(default_action); }

int nsrun_profile_architecture(void *profile, const char *name) {
    const uint32_t architecture = seccomp_arch_resolve_name(name);
    if (architecture == 0)
        return -EINVAL;
    const int error = seccomp_arch_add(profile, architecture);
    return error == -EEXIST ? 0 : error;
}

int nsrun_profile_rule(void *profile, uint32_t action, const char *name, const struct nsrun_comparison *compared,
                       unsigned count) {
    struct scmp_arg_cmp arguments[6];
    const int call = seccomp_syscall_resolve_name(name);
    // Engines pass over what this libseccomp has never heard of, as does this: a list names calls of all kernels.
    if (call == __NR_SCMP_ERROR)
        return 0;
    if (count > 6)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++)
        arguments[i] = (struct scmp_arg_cmp){compared[i].argument, (enum scmp_compare)compared[i].how, compared[i].value,
                                             compared[i].other};
    const int error = seccomp_rule_add_array(profile, action, call, count, arguments);
    return error == -EACCES ? 0 : error;   // it is what holds by default
}

ssize_t nsrun_profile_end(void *profile, char *program, size_t capacity) {
    const ssize_t length = program != NULL ? nsrun_export_filter(profile, program, capacity) : 0;
    seccomp_release(profile);
    return length;
}
