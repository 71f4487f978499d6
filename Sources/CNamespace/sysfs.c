// SPDX-License-Identifier: Apache-2.0
//
// A sysfs of the run's own network, for one shows the network devices of the namespace that it was mounted in; and what is
// mounted on it.

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

static const char place_of_sysfs[] = "/sys";

/// What the host has mounted on its own is there as well.
static int bind_mounts(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_step bind = {
        .op = NSRUN_OP_BIND,
        .flags = NSRUN_RECURSIVE | NSRUN_TRY | NSRUN_MUST_EXIST | (step->flags & NSRUN_READ_ONLY),
        .fd = -1,
    };
    int error = 0;
    for (const char *const *path = step->list; *path != NULL && error == 0; path++) {
        bind.source = bind.target = *path;
        error = nsrun_bind(w, &bind);
    }
    return error;
}

/// Empty directories in place of those that show another network's devices.
static int hide_devices(struct nsrun_world *w, const struct nsrun_step *step) {
    for (const char *const *path = step->list2; *path != NULL; path++) {
        struct nsrun_place place;
        int error = nsrun_find(w, *path, NSRUN_KIND_DIRECTORY, NSRUN_MUST_EXIST, 0, &place);
        if (error == -ENOENT)
            continue;   // below one that is hidden already, or gone
        if (error == 0) {
            error = nsrun_place_private(w, 0555, &place);
            close(place.fd);
        }
        if (error < 0)
            return error;
    }
    return 0;
}

/// In the root that this process has entered, over the one that is there, of which everything is known to be the kernel's.
static int mount_inside(struct nsrun_world *w, const struct nsrun_step *step) {
    int held[32];
    size_t count = 0;
    for (; count < sizeof held / sizeof held[0] && step->list[count] != NULL; count++)
        held[count] = open(step->list[count], O_PATH | O_CLOEXEC);
    int error = 0;
    if (mount("sysfs", place_of_sysfs, "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        // That one shows nothing of the host's network either, or what it shows can be covered.
        w->passed_over = errno;
        if (step->flags & NSRUN_OVER_HOSTS)
            error = errno == EPERM ? hide_devices(w, step) : -errno;
    } else {
        for (size_t i = 0; i < count && error == 0; i++) {
            char from[32];
            nsrun_fd_path(held[i], from);
            if (held[i] >= 0 && mount(from, step->list[i], NULL, MS_BIND | MS_REC, NULL) != 0 && errno != ENOENT)
                error = -errno;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (held[i] >= 0)
            close(held[i]);
    return error;
}

/// Older kernels and the classic calls find them by their paths when they are to be mounted.
int nsrun_hold_trees(struct nsrun_world *w, const struct nsrun_step *step) {
    if (nsrun_is_classic(w))
        return 0;
    for (const char *const *path = step->list; *path != NULL && w->held_count < sizeof w->held / sizeof w->held[0]; path++)
        w->held[w->held_count++] = nsrun_open_tree(AT_FDCWD, *path, OPEN_TREE_CLONE | AT_RECURSIVE | AT_NO_AUTOMOUNT);
    return 0;
}

/// One that was held, where it was meant to be.
static int place_tree(struct nsrun_world *w, int tree, const char *target, bool is_read_only) {
    const uint64_t set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (is_read_only ? MOUNT_ATTR_RDONLY : 0);
    struct nsrun_place place;
    int error = nsrun_mount_setattr(tree, AT_RECURSIVE, set, 0);
    if (error == 0)
        error = nsrun_find(w, target, NSRUN_KIND_DIRECTORY, NSRUN_MUST_EXIST, 0, &place);
    if (error < 0) {
        close(tree);
        return error;
    }
    error = nsrun_place_mount(w, tree, false, &place);
    close(place.fd);
    return error;
}

int nsrun_place_held(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_step bind = {
        .op = NSRUN_OP_BIND,
        .flags = NSRUN_RECURSIVE | NSRUN_TRY | NSRUN_MUST_EXIST | (step->flags & NSRUN_READ_ONLY),
        .fd = -1,
    };
    int error = 0;
    for (unsigned i = 0; step->list[i] != NULL && error == 0; i++) {
        bind.source = step->list[i];
        bind.target = step->list2[i];
        if (i >= w->held_count)
            error = nsrun_bind(w, &bind);
        else if (w->held[i] >= 0)
            error = place_tree(w, w->held[i], bind.target, step->flags & NSRUN_READ_ONLY);
        // What has gone meanwhile shows nobody any limits.
        if (error == -ENOENT || error == -ENOTDIR)
            error = 0;
    }
    w->held_count = 0;
    return error;
}

int nsrun_sysfs(struct nsrun_world *w, const struct nsrun_step *step) {
    static const char *const none[] = {NULL};
    if (step->flags & NSRUN_INSIDE)
        return mount_inside(w, step);
    const struct nsrun_step fresh = {.target = place_of_sysfs, .flags = NSRUN_MUST_EXIST, .fd = -1};
    const int error = nsrun_filesystem(
        w, &fresh, "sysfs", none,
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (error == 0)
        return bind_mounts(w, step);
    // Where parts of the outer one are covered, or the network is somebody else's, the kernel lets nobody have another.
    if (error != -EPERM)
        return error;
    w->passed_over = EPERM;
    return hide_devices(w, step);
}
