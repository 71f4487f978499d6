// SPDX-License-Identifier: Apache-2.0
//
// See include/leftover.h.

#define _GNU_SOURCE
#include "include/leftover.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "executor.h"
#include "passing.h"

enum {
    /// A launcher keeps two descriptors for each. What is made beyond that stays.
    MOST_LEFTOVERS = 64,
    /// Whoever takes one away has it for a moment.
    MOST_WAITS = 1000,
    /// Nobody makes up for what the kernel was too short of something to do.
    MOST_ATTEMPTS = 2,
};

/// In 1970, and to the nanosecond.
static const struct timespec mark = {.tv_sec = 11, .tv_nsec = 726974117};

bool nsrun_is_leftover(const struct stat *status) {
    return status->st_mtim.tv_sec == mark.tv_sec && status->st_mtim.tv_nsec == mark.tv_nsec
           && (S_ISDIR(status->st_mode) || (S_ISREG(status->st_mode) && status->st_size == 0));
}

static bool is_marked(int fd) {
    struct stat status;
    int error = -1;
    for (int i = 0; i < MOST_ATTEMPTS && error != 0; i++)
        error = fstat(fd, &status);
    return error == 0 && nsrun_is_leftover(&status);
}

/// What lies in a directory of ours does not make it somebody else's.
static void mark_again(int directory) {
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, mark};
    for (int i = 0; i < MOST_ATTEMPTS && utimensat(directory, ".", times, 0) != 0; i++) {}
}

/// Tells the launcher, which has the lock from now on.
static int tell(struct nsrun_world *w, int directory, int place, const char *name) {
    struct {
        struct nsrun_report_head head;
        char name[NAME_MAX + 1];
    } record = {.head = {.kind = NSRUN_REPORT_LEFTOVER, .length = (uint32_t)strlen(name)}};
    memcpy(record.name, name, record.head.length);
    const int both[] = {directory, place};
    w->leftovers++;
    return nsrun_send_descriptors(w->channel, &record, sizeof record.head + record.head.length, both, 2);
}

/// Makes it under a name of its own first: nobody must find it as long as it is not known for what it is.
static int make_marked(int parent, const char *temporary, enum nsrun_kind kind, mode_t mode) {
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, mark};
    const int made = kind == NSRUN_KIND_FILE ? mknodat(parent, temporary, S_IFREG | mode, 0)
                                             : mkdirat(parent, temporary, mode);
    if (made != 0)
        return -errno;
    const int fd = nsrun_result(openat(parent, temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    // A file system that does not keep such a time, or knows no locks, is no place for this.
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 && futimens(fd, times) == 0 && is_marked(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -ENOTSUP;
}

/// Whether the place is what has that name in its directory. Of a tree that never was attached, because the set-up failed or
/// was ended, the kernel keeps everything mounted as long as somebody has a descriptor in it; then the path tells.
static bool lies_in(int directory, int place, const struct stat *own, const char *name) {
    struct stat there;
    char path[PATH_MAX], below[PATH_MAX];
    if (fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 && there.st_dev == own->st_dev
        && there.st_ino == own->st_ino)
        return true;
    const ssize_t length = nsrun_locate_descriptor(directory, below, sizeof below);
    if (length <= 0 || (size_t)length + strlen(name) + 1 >= sizeof below)
        return false;
    snprintf(below + length, sizeof below - (size_t)length, "%s%s", below[length - 1] == '/' ? "" : "/", name);
    return nsrun_locate_descriptor(place, path, sizeof path) > 0 && strcmp(path, below) == 0;
}

/// 0 where it is gone, or is to stay; else a negative errno.
static int take_away(int directory, int place, const char *name) {
    struct stat own;
    if (flock(place, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? 0 : -errno;   // another run uses it
    if (fstat(place, &own) != 0)
        return -errno;
    if (!nsrun_is_leftover(&own) || !lies_in(directory, place, &own, name))
        return 0;
    const bool was_marked = is_marked(directory);
    const bool is_gone = unlinkat(directory, name, S_ISDIR(own.st_mode) ? AT_REMOVEDIR : 0) == 0;
    const int error = is_gone || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT ? 0 : -errno;
    if (was_marked)
        mark_again(directory);
    return error;
}

/// A locked descriptor of it under its name, or a negative errno.
static int make_named(int parent, const char *name, enum nsrun_kind kind, mode_t mode) {
    char temporary[40];
    snprintf(temporary, sizeof temporary, ".nsrun-%llx", (unsigned long long)nsrun_now());
    int fd = make_marked(parent, temporary, kind, mode);
    if (fd >= 0 && syscall(SYS_renameat2, parent, temporary, parent, name, 1 /* RENAME_NOREPLACE */) != 0) {
        close(fd);
        fd = -ENOTSUP;
    }
    if (fd == -ENOTSUP)
        unlinkat(parent, temporary, kind == NSRUN_KIND_FILE ? 0 : AT_REMOVEDIR);
    return fd;
}

int nsrun_make_leftover(struct nsrun_world *w, int parent, const char *name, enum nsrun_kind kind, mode_t mode) {
    if (!(w->plan->flags & NSRUN_TAKE_AWAY) || !w->mounts_here || w->channel < 0 || w->leftovers >= MOST_LEFTOVERS
        || nsrun_is_own(w, parent))
        return 0;
    const bool was_marked = is_marked(parent);
    int fd = -1;
    for (int i = 0; i < MOST_ATTEMPTS && fd < 0; i++)
        fd = make_named(parent, name, kind, mode);
    // The plain way tells what is wrong, or does where this cannot be done.
    const int error = fd >= 0 ? tell(w, parent, fd, name) : 0;
    if (error < 0)   // nobody else would
        take_away(parent, fd, name);
    if (was_marked)
        mark_again(parent);
    if (fd >= 0)
        close(fd);
    return error < 0 ? error : fd >= 0;
}

/// Shared, and never waiting for long: whoever may read it may lock it.
static int lock(int fd) {
    for (int i = 0; i < MOST_WAITS; i++) {
        if (flock(fd, LOCK_SH | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            return -errno;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return -EBUSY;
}

int nsrun_claim_leftover(struct nsrun_world *w, int parent, const char *name) {
    const int fd = nsrun_result(openat(parent, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status;
    if (fd == -ENOENT)
        return -EAGAIN;
    if (fd < 0)   // somebody else's
        return 0;
    int error = lock(fd);
    if (error == 0 && fstat(fd, &status) == 0 && (status.st_nlink == 0 || fstatat(parent, name, &status, 0) != 0))
        error = -EAGAIN;   // taken away meanwhile
    if (error == 0 && (w->plan->flags & NSRUN_TAKE_AWAY) && w->channel >= 0 && w->leftovers < MOST_LEFTOVERS)
        error = tell(w, parent, fd, name);
    else if (error == 0)
        futimens(fd, NULL);
    close(fd);
    return error;
}

void nsrun_take_away(int directory, int place, const char *name) {
    for (int i = 0; i < MOST_ATTEMPTS && take_away(directory, place, name) < 0; i++) {}
    close(place);
    close(directory);
}
