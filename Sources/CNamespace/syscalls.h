// SPDX-License-Identifier: Apache-2.0
//
// System calls and constants that glibc 2.36 or musl lacks, as functions that return a negative errno.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
/// Of statvfs(3) and mount(2), as the kernel has them since 5.10.
enum { NSRUN_ST_NOSYMFOLLOW = 0x2000, NSRUN_MS_NOSYMFOLLOW = 256 };

/// Of clone3(2), since Linux 5.7.
#define NSRUN_CLONE_INTO_CGROUP 0x200000000ull

/// struct linux_dirent64, which glibc does not declare.
struct nsrun_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

static inline int nsrun_result(long value) { return value < 0 ? -errno : (int)value; }

/// A call that the kernel does not have, or that an old filter around a container answers for it.
static inline int nsrun_is_lacking(int error) { return error == -ENOSYS || error == -EPERM; }

/// What keeps this process from a path keeps the command from it, too: it is not there, or not for them. Anything else,
/// such as a want of descriptors or a fault of the disk, says nothing of the path.
static inline int nsrun_is_out_of_reach(int error) {
    return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -ELOOP || error == -ENAMETOOLONG;
}

/// A descriptor that is not in the place of a standard one that the caller has closed. An error stays one.
static inline int nsrun_above_standard(int fd) {
    if (fd < 0 || fd > 2)
        return fd;
    const int moved = nsrun_result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    close(fd);
    return moved;
}

/// By openat(): musl's open() makes a second call, for kernels before 2.6.23.
static inline int nsrun_open(const char *path, int flags) {
    return nsrun_result(openat(AT_FDCWD, path, flags | O_CLOEXEC));
}

static inline int nsrun_open_tree(int dir, const char *path, unsigned flags) {
    return nsrun_result(syscall(SYS_open_tree, dir, path, flags | O_CLOEXEC));
}

static inline int nsrun_move_mount(int from, int dir, const char *path, unsigned flags) {
    return nsrun_result(
        syscall(SYS_move_mount, from, "", dir, path, flags | MOVE_MOUNT_F_EMPTY_PATH));
}

static inline int nsrun_fsopen(const char *type) {
    return nsrun_result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int nsrun_fsconfig(int fd, unsigned command, const char *key, const char *value) {
    return nsrun_result(syscall(SYS_fsconfig, fd, command, key, value, 0));
}

static inline int nsrun_fsmount(int fd, unsigned attributes) {
    return nsrun_result(syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes));
}

static inline int nsrun_mount_setattr(int fd, unsigned flags, uint64_t set, uint64_t clear) {
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};
    return nsrun_result(
        syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, &attr, sizeof attr));
}

static inline int nsrun_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return nsrun_result(syscall(SYS_openat2, dir, path, &how, sizeof how));
}

static inline int nsrun_pivot_root(const char *new_root, const char *put_old) {
    return nsrun_result(syscall(SYS_pivot_root, new_root, put_old));
}

/// The kernel's own structure: the C library's function of the same purpose takes locks.
struct nsrun_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static inline int nsrun_set_signal(int number, const struct nsrun_sigaction *action) {
    return nsrun_result(syscall(SYS_rt_sigaction, number, action, NULL, sizeof action->mask));
}

/// The kernel's own signal set: no lock, and the signals that the C library keeps to itself are covered.
static inline int nsrun_sigprocmask(int how, const uint64_t *set, uint64_t *old) {
    return nsrun_result(syscall(SYS_rt_sigprocmask, how, set, old, sizeof *set));
}
