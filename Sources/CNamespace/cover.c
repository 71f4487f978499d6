// SPDX-License-Identifier: Apache-2.0
//
// A directory that must not be written, copied into memory so that a mount point can be made in it:
// a tmpfs is mounted over it, and each of its entries is bound into that tmpfs, or made again if it
// is a symlink. The rootfs itself stays as it is. On leaving set-up the copies become read-only.

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

static int copy_symlink(int from, int to, const char *name) {
    char text[PATH_MAX];
    ssize_t size = readlinkat(from, name, text, sizeof text - 1);
    if (size < 0)
        return -errno;
    text[size] = 0;
    return symlinkat(text, to, name) == 0 ? 0 : -errno;
}

static int copy_entry(struct nsrun_world *w, int from, const char *path, int to, const char *name) {
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
        return -errno;
    if (S_ISLNK(status.st_mode))
        return copy_symlink(from, to, name);
    if (nsrun_is_leftover(&status))   // another run's to be mounted on, and to be taken away
        return 0;
    int made = S_ISDIR(status.st_mode) ? mkdirat(to, name, 0755)
                                       : mknodat(to, name, S_IFREG | 0644, 0);
    if (made != 0)
        return -errno;
    struct nsrun_place place = {.is_root = false};
    size_t length = strlen(path);
    if (length + strlen(name) + 2 > sizeof place.path)
        return -ENAMETOOLONG;
    memcpy(place.path, path, length);
    place.path[length] = '/';
    strcpy(place.path + length + 1, name);
    place.fd = openat(to, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (place.fd < 0)
        return -errno;
    // The entry keeps the attributes that it has, so no flag but recursive.
    int error = nsrun_place_bind(w, from, name, NSRUN_RECURSIVE | NSRUN_SETUID | NSRUN_DEVICES,
                                 &place);
    close(place.fd);
    return error;
}

struct copying {
    struct nsrun_world *w;
    int from, to;
    const char *path, *leave_out;
};

static int copy_one(void *context, const struct nsrun_entry *entry) {
    const struct copying *copying = context;
    const char *name = entry->name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0
        || (copying->leave_out != NULL && strcmp(name, copying->leave_out) == 0))
        return 0;
    const int error = copy_entry(copying->w, copying->from, copying->path, copying->to, name);
    return error == -ENOENT ? 0 : error;   // gone meanwhile
}

static int copy_entries(struct nsrun_world *w, int from, const char *path, int to,
                        const char *leave_out) {
    struct copying copying = {.w = w, .from = from, .to = to, .path = path, .leave_out = leave_out};
    return nsrun_each_entry(from, copy_one, &copying);
}

/// A directory in memory, by its path and what lies there: a later copy of a parent, or another mount
/// on top, must not be mistaken for it.
struct copy {
    dev_t device;
    ino_t inode;
    size_t length;   ///< of the path that follows, with its NUL
};

int nsrun_remember_copy(struct nsrun_world *w, const struct nsrun_place *place, const char *path) {
    struct stat status;
    if (fstat(place->fd, &status) != 0)
        return -errno;
    struct copy copy = {.device = status.st_dev, .inode = status.st_ino, .length = strlen(path) + 1};
    if (w->copied + sizeof copy + copy.length > w->plan->copies_size)
        return -E2BIG;
    memcpy(w->plan->copies + w->copied, &copy, sizeof copy);
    memcpy(w->plan->copies + w->copied + sizeof copy, path, copy.length);
    w->copied += sizeof copy + copy.length;
    return 0;
}

int nsrun_cover(struct nsrun_world *w, struct nsrun_place *place, const char *leave_out) {
    struct stat status;
    if (fstat(place->fd, &status) != 0)
        return -errno;
    if (nsrun_is_own(w, place->fd)) {
        // One of ours already: only the symlink is in the way.
        if (leave_out != NULL && unlinkat(place->fd, leave_out, 0) != 0)
            return -errno;
        return 0;
    }
    const int from = fcntl(place->fd, F_DUPFD_CLOEXEC, 3);
    if (from < 0)
        return -errno;
    int error = nsrun_place_private(w, (status.st_mode & 07777) | 0700, place);
    if (error == 0)
        error = copy_entries(w, from, place->path, place->fd, leave_out);
    close(from);
    return error < 0 ? error : nsrun_remember_copy(w, place, place->path);
}

int nsrun_seal(struct nsrun_world *w) {
    for (size_t at = 0; at < w->copied;) {
        struct copy copy;
        memcpy(&copy, w->plan->copies + at, sizeof copy);
        const size_t start = at + sizeof copy;
        int fd = nsrun_reopen(w, w->plan->copies + start);
        at += sizeof copy + copy.length;
        struct stat status;
        if (fd < 0 && nsrun_is_out_of_reach(fd) && w->plan->copies[start] != 0)
            continue;   // hidden by a later mount
        if (fd < 0)
            return fd;
        int error = fstat(fd, &status) == 0 ? 0 : -errno;
        if (error == 0 && status.st_dev == copy.device && status.st_ino == copy.inode)
            error = nsrun_is_classic(w)
                        ? nsrun_classic_attributes(w, fd, MS_RDONLY, false)
                        : nsrun_mount_setattr(fd, 0, MOUNT_ATTR_RDONLY, 0);
        close(fd);
        if (error < 0)
            return error;
    }
    return 0;
}
