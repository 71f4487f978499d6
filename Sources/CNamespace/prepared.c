// SPDX-License-Identifier: Apache-2.0
//
// The two ends of a prepared world, see reuse.c: what is done last when one is made, and first in a run that starts from a
// copy of it.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "executor.h"
#include "passing.h"

/// What statx(2) answers: musl has it not, and the kernel's header and glibc's are not to be had together.
struct status {
    uint32_t mask, block_size;
    uint64_t attributes;
    char rest[240];
};
static const uint64_t is_mount_root = 0x2000;   // STATX_ATTR_MOUNT_ROOT, Linux 5.8

/// Where a path of the root leads to in the end.
static int resolve(const struct nsrun_world *w, const char *path, char canonical[PATH_MAX]) {
    const int fd = nsrun_open_inside(w, path, O_PATH);
    if (fd < 0)
        return fd;
    const ssize_t size = nsrun_locate_descriptor(fd, canonical, PATH_MAX);
    close(fd);
    return size < 0 ? (int)size : 0;
}

static bool is_at_or_below(const char *path, const char *place) {
    const size_t length = strlen(place);
    return strncmp(path, place, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/// What was put somewhere must not lie in a place that each run has one of its own for, by a symlink of the root: the run
/// would not see it.
static int check_place(const struct nsrun_world *w, const char *path, const char *const *own) {
    char canonical[PATH_MAX], place[PATH_MAX];
    if (resolve(w, path, canonical) < 0)
        return 0;   // it was passed over
    for (; *own != NULL; own++) {
        const int error = resolve(w, *own, place);
        if (error < 0)
            return error;
        if (is_at_or_below(canonical, place))
            return -EXDEV;
    }
    return 0;
}

/// Nobody writes to what all runs start from. The flag is locked in the copies that belong to other user namespaces.
static int seal(const struct nsrun_world *w, const char *path) {
    const int fd = nsrun_open_inside(w, path, O_PATH);
    if (fd < 0)
        return fd;
    const int error = nsrun_mount_setattr(fd, 0, MOUNT_ATTR_RDONLY, 0);
    close(fd);
    return error;
}

/// The world stands: it is sealed, and goes to who keeps it. This process ends, and with it the pid namespace that the
/// world's /proc is of, so that nothing is seen there.
int nsrun_keep(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = 0;
    for (const char *const *path = step->list2; *path != NULL && error == 0; path++)
        error = check_place(w, *path, step->list);
    for (const char *const *path = step->list; *path != NULL && error == 0; path++)
        error = seal(w, *path);
    if (error == 0 && nsrun_open_proc(w) < 0)
        error = w->proc;
    if (error < 0)
        return error;
    const int fds[] = {
        nsrun_result(openat(w->proc, "self/ns/user", O_RDONLY | O_CLOEXEC)),
        nsrun_result(openat(w->proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC)),
    };
    if (fds[0] < 0 || fds[1] < 0)
        return fds[0] < 0 ? fds[0] : fds[1];
    error = nsrun_send_descriptors(step->fd, "+", 1, fds, 2);
    if (error < 0)
        return error;
    _exit(0);
}

/// Whether something is mounted just there, be it what was to be passed over where it is missing.
static bool is_mounted(int fd) {
    struct status status;
    return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &status) == 0 && (status.attributes & is_mount_root);
}

int nsrun_root_prepared(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = nsrun_root_host(w, step);
    w->entered = true;
    for (const char *const *path = step->list; *path != NULL && error == 0; path++) {
        if (w->held_count == sizeof w->held / sizeof w->held[0])
            return -E2BIG;
        const int fd = nsrun_open_inside(w, *path, O_PATH);
        int tree = -1;
        if (fd >= 0 && is_mounted(fd)) {
            tree = nsrun_clone_tree(fd, "", NSRUN_RECURSIVE);
            error = tree < 0 ? tree : 0;
        }
        if (fd >= 0)
            close(fd);
        w->held[w->held_count++] = tree;
    }
    // What hangs nowhere the kernel waits for (RCU) when its last descriptor is closed. Below the run's own proc nobody
    // sees it.
    if (error == 0 && (w->plan->flags & NSRUN_DETACHED_ROOT)) {
        error = nsrun_scratch(w);
        if (error == 0)
            error = nsrun_move_mount(w->scratch, AT_FDCWD, "/proc", 0);
    }
    return error;
}

int nsrun_put_back(struct nsrun_world *w, const struct nsrun_step *step) {
    const int tree = w->held[step->value];
    struct stat status;
    struct nsrun_place place;
    if (tree < 0)
        return 0;
    int error = fstat(tree, &status) == 0 ? 0 : -errno;
    const bool is_directory = S_ISDIR(status.st_mode);
    if (error == 0)
        error = nsrun_find(w, step->target, is_directory ? NSRUN_KIND_DIRECTORY : NSRUN_KIND_FILE, step->flags,
                           is_directory ? 0755 : nsrun_place_mode(w), &place);
    w->held[step->value] = -1;
    if (error < 0) {
        close(tree);
        return error;
    }
    error = nsrun_place_mount(w, tree, !is_directory, &place);
    close(place.fd);
    return error;
}
