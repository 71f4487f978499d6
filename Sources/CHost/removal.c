// SPDX-License-Identifier: Apache-2.0
//
// Removes trees, whatever is in them: of any depth with two descriptors and 32 bytes a level, whatever the modes of
// its directories, without following a link, and never anything that is mounted in it.
//
// The tree is walked depth first and in place. The way back up is "..", which must lead to the directory that it
// was on the way down; no names are kept for it. Where the scan of a directory goes on, the entry that led down comes
// once more, and then it is empty.

#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/host.h"
#include "syscalls.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/// How often one directory may be entered, or read from its start, before somebody is taken to fill it meanwhile.
enum { MOST_ATTEMPTS = 16 };

struct level {
    uint64_t inode;
    int64_t offset;      ///< where its list goes on: before the entry that led down
    uint64_t child;      ///< the directory that was entered last
    uint32_t attempts;   ///< how often in a row that was the same
    uint32_t passes;     ///< how often its list has ended before it was empty
};

struct removal {
    const volatile int *stop;
    int directory;       ///< the one that is being emptied
    dev_t device;
    struct level *levels;
    size_t depth, capacity;
    char *culprit;       ///< for the path of what could not be removed
    size_t size;
};

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/// Notes what cannot be removed, and passes the error on.
static int blame(const struct removal *r, const char *name, int error) {
    if (r->size == 0)
        return error;
    const ssize_t length = nsrun_locate_descriptor(r->directory, r->culprit, r->size);
    // A path may be longer than the kernel tells.
    size_t start = length < 0 ? (size_t)snprintf(r->culprit, r->size, "...") : (size_t)length;
    if (start == 1 && r->culprit[0] == '/')
        start = 0;
    snprintf(r->culprit + start, r->size - start, "%s%s", *name ? "/" : "", name);
    return error;
}

/// Lets the owner into a directory again who has taken away their own permission. By descriptor: no other file can be
/// meant. What does not succeed shows in what it was for.
static void permit(int fd, mode_t mode) {
    if ((mode & 0700) == 0700)
        return;
    mode = (mode & 07777) | 0700;
    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return;
    char path[32];
    nsrun_fd_path(fd, path);
    chmod(path, mode);
}

/// Opens a directory that is entered from `parent`, without crossing into what is mounted there.
static int enter(int parent, const char *name, int flags) {
    flags |= O_DIRECTORY | O_NOFOLLOW;
    const int fd = nsrun_openat2(parent, name, (uint64_t)flags, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
    // Without that call what is mounted is told by rmdir(2), which comes first, and by the device.
    return nsrun_is_lacking(fd) ? nsrun_result(openat(parent, name, flags | O_CLOEXEC)) : fd;
}

/// The same for reading, whatever its mode.
static int open_directory(int parent, const char *name, struct stat *status) {
    int fd = enter(parent, name, O_RDONLY);
    if (fd == -EACCES) {
        const int place = enter(parent, name, O_PATH);
        if (place < 0)
            return place;
        if (fstat(place, status) == 0)
            permit(place, status->st_mode);
        fd = nsrun_result(openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        close(place);
    }
    if (fd < 0)
        return fd;
    if (fstat(fd, status) != 0) {
        const int error = -errno;
        close(fd);
        return error;
    }
    permit(fd, status->st_mode);
    return fd;
}

static int descend(struct removal *r, struct level *here, const char *name) {
    struct stat status;
    const int fd = open_directory(r->directory, name, &status);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return blame(r, name, fd);
    here->attempts = here->child == status.st_ino ? here->attempts + 1 : 0;
    here->child = status.st_ino;
    int error = status.st_dev != r->device ? -EXDEV : here->attempts >= MOST_ATTEMPTS ? -ENOTEMPTY : 0;
    if (error == 0 && r->depth == r->capacity) {
        const size_t capacity = r->capacity == 0 ? 64 : 2 * r->capacity;
        struct level *levels = realloc(r->levels, capacity * sizeof *levels);
        if (levels == NULL) {
            error = -ENOMEM;
        } else {
            r->levels = levels;
            r->capacity = capacity;
        }
    }
    if (error < 0) {
        close(fd);
        return blame(r, name, error);
    }
    r->levels[r->depth++] = (struct level){.inode = status.st_ino};
    close(r->directory);
    r->directory = fd;
    return 1;
}

/// Back to the directory that this one was entered from.
static int ascend(struct removal *r) {
    struct stat status;
    const int fd = nsrun_result(openat(r->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return blame(r, "..", fd);
    const struct level *above = &r->levels[r->depth - 2];
    if (fstat(fd, &status) != 0 || status.st_ino != above->inode || status.st_dev != r->device) {
        close(fd);
        return blame(r, "..", -ESTALE);   // it was moved meanwhile
    }
    close(r->directory);
    r->directory = fd;
    r->depth--;
    return lseek(fd, above->offset, SEEK_SET) < 0 ? blame(r, "", -errno) : 0;
}

/// 0 when the entry is gone, 1 when it was entered instead.
static int remove_entry(struct removal *r, struct level *here, const struct nsrun_entry *entry) {
    if (entry->type != DT_DIR) {
        if (unlinkat(r->directory, entry->name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR)
            return blame(r, entry->name, -errno);
    }
    // What is mounted somewhere is busy, however full it is.
    if (unlinkat(r->directory, entry->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    return errno == ENOTEMPTY || errno == EEXIST ? descend(r, here, entry->name)
                                                 : blame(r, entry->name, -errno);
}

static bool is_dots(const char *name) {
    return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

/// Goes through the directory from where its list stands: 0 when nothing is left in it, 1 when another was entered.
static int scan(struct removal *r) {
    char buffer[32768] __attribute__((aligned(8)));
    struct level *here = &r->levels[r->depth - 1];
    bool is_whole = here->offset == 0;
    // Little at first: after a few entries the next directory may have to be entered.
    for (size_t size = 1024;; size = size < sizeof buffer ? 2 * size : size) {
        const long length = syscall(SYS_getdents64, r->directory, buffer, size);
        if (length < 0)
            return errno == ENOENT ? 0 : blame(r, "", -errno);
        if (length == 0 && is_whole)
            return 0;
        if (length == 0) {
            // It was left on the way, and what a file system means by a place in its list may have changed.
            if (++here->passes >= MOST_ATTEMPTS * 64)
                return blame(r, "", -ENOTEMPTY);
            here->offset = 0;
            is_whole = true;
            if (lseek(r->directory, 0, SEEK_SET) < 0)
                return blame(r, "", -errno);
            continue;
        }
        for (long at = 0; at < length;) {
            const struct nsrun_entry *entry = (const void *)(buffer + at);
            if (r->stop != NULL && *r->stop != 0)
                return -EINTR;
            const int result = is_dots(entry->name) ? 0 : remove_entry(r, here, entry);
            if (result != 0)
                return result;
            here->offset = entry->offset;
            at += entry->size;
        }
    }
}

/// Empties a directory, which is closed.
static int empty(struct removal *r, int fd, const struct stat *status) {
    struct level first = {.inode = status->st_ino};
    r->levels = malloc(64 * sizeof *r->levels);
    r->directory = fd;
    r->device = status->st_dev;
    int error = r->levels == NULL ? -ENOMEM : 0;
    if (error == 0) {
        r->levels[0] = first;
        r->capacity = 64;
        r->depth = 1;
    }
    while (error == 0) {
        error = scan(r);
        if (error == 1)
            error = 0;
        else if (error == 0 && r->depth == 1)
            break;
        else if (error == 0)
            error = ascend(r);
    }
    free(r->levels);
    close(r->directory);
    return error;
}

int nsrun_remove_at(int parent, const char *name, int expected, const volatile int *stop, char *culprit,
                    size_t size) {
    struct removal r = {.stop = stop, .culprit = culprit, .size = size, .directory = parent};
    struct stat status, wanted;
    if (expected < 0) {
        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR)
            return blame(&r, name, -errno);
    } else if (fstat(expected, &wanted) != 0) {
        return -errno;
    }
    // Of one that may not be read, it is at least tried; what is mounted here is told by it.
    if (expected < 0 && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT))
        return 0;
    if (expected < 0 && errno != ENOTEMPTY && errno != EEXIST)
        return blame(&r, name, -errno);
    const int fd = open_directory(parent, name, &status);
    if (fd < 0)
        return fd == -ENOENT ? 0 : blame(&r, name, fd);
    if (expected >= 0 && !same(&status, &wanted)) {
        close(fd);
        return blame(&r, name, -ESTALE);
    }
    const int error = empty(&r, fd, &status);
    if (error < 0)
        return error;
    r.directory = parent;
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : blame(&r, name, -errno);
}

int nsrun_remove_tree(const char *path) {
    char parent[PATH_MAX];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof parent)
        return length == 0 ? -ENOENT : -ENAMETOOLONG;
    memcpy(parent, path, length);
    parent[length] = 0;
    char *slash = strrchr(parent, '/');
    const char *name = slash == NULL ? parent : slash + 1;
    if (slash != NULL)
        *slash = 0;
    const char *holder = slash == NULL ? "." : slash == parent ? "/" : parent;
    const int fd = nsrun_open(holder, O_PATH | O_DIRECTORY);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    struct stat status;
    // A link is not what was made here.
    const bool is_link =
        fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(status.st_mode);
    const int error = is_link ? -ENOTDIR : nsrun_remove_at(fd, name, -1, NULL, NULL, 0);
    close(fd);
    return error;
}
