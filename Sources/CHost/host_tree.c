// SPDX-License-Identifier: Apache-2.0
//
// A private directory of the host's, for engines that cannot mount: made before a run, removed after it.

#define _GNU_SOURCE
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "include/host.h"
#include "syscalls.h"

int nsrun_make_directory(const char *path, uint32_t mode) {
    if (mkdir(path, 0700) != 0)
        return -errno;
    // Without the caller's umask.
    return mode == 0700 || chmod(path, mode) == 0 ? 0 : -errno;
}

int nsrun_make_link(const char *text, const char *path) {
    return symlink(text, path) == 0 ? 0 : -errno;
}

int nsrun_rename(const char *old, const char *new) { return rename(old, new) == 0 ? 0 : -errno; }

int nsrun_make_directory_at(int parent, const char *name) {
    return mkdirat(parent, name, 0700) == 0 ? 0 : -errno;
}

int nsrun_rename_at(int parent, const char *old, const char *new) {
    return renameat(parent, old, parent, new) == 0 ? 0 : -errno;
}

int nsrun_make_file(const char *path, const char *bytes, size_t length, uint32_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int error = nsrun_write_all(fd, bytes, length);
    if (error == 0 && fchmod(fd, mode) != 0)
        error = -errno;
    close(fd);
    return error;
}

bool nsrun_is_private(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid()
           && (status.st_mode & 077) == 0;
}

bool nsrun_is_memory(const char *path) {
    struct statfs filesystem;
    return statfs(path, &filesystem) == 0 && filesystem.f_type == TMPFS_MAGIC
           && !(filesystem.f_flags & ST_NOEXEC) && access(path, W_OK) == 0;
}

int nsrun_make_private(const char *path) {
    for (;;) {
        if (mkdir(path, 0700) != 0)
            return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        // Who sweeps may have taken it for one that was left behind, and then it is gone.
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return -errno;
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
        }
        struct stat locked, there;
        if (fstat(fd, &locked) == 0 && lstat(path, &there) == 0 && locked.st_ino == there.st_ino
            && locked.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
}

int nsrun_lock_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat status;
    int error = 0;
    if (fstat(fd, &status) != 0 || status.st_uid != getuid())
        error = -EPERM;
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

ssize_t nsrun_locate_below(const char *root, const char *path, char *buffer, size_t capacity) {
    int fd = nsrun_open_below(root, path, O_PATH);
    if (fd < 0)
        return fd;
    const ssize_t length = nsrun_locate_descriptor(fd, buffer, capacity);
    close(fd);
    return length;
}
