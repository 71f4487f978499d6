// SPDX-License-Identifier: Apache-2.0
//
// An overlay in a user namespace. Layers are handed over as /proc/self/fd/N: each is resolved once,
// and no path's comma, colon or backslash needs escaping.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "executor.h"

enum { MOST_LAYERS = 120, MOST_OPTIONS = 16 };

static int open_layer(const char *path) {
    return nsrun_open(path, O_PATH | O_DIRECTORY);
}

/// The upper and work directories in memory, both on one new tmpfs.
static int layers_in_memory(struct nsrun_world *w, int *upper, int *work) {
    int error = nsrun_scratch(w);
    if (error < 0)
        return error;
    char names[2][24];
    for (int i = 0; i < 2; i++) {
        snprintf(names[i], sizeof names[i], "layer-%u", w->scratch_names++);
        if (mkdirat(w->scratch, names[i], 0755) != 0)
            return -errno;
    }
    *upper = nsrun_result(openat(w->scratch, names[0], O_PATH | O_DIRECTORY | O_CLOEXEC));
    *work = nsrun_result(openat(w->scratch, names[1], O_PATH | O_DIRECTORY | O_CLOEXEC));
    return *upper < 0 ? *upper : *work < 0 ? *work : 0;
}

/// What an overlay must keep of a layer that lies below: the kernel looks at its own mount alone.
static unsigned kept_attributes(int layer) {
    struct statvfs status;
    if (fstatvfs(layer, &status) != 0)
        return 0;
    return (status.f_flag & ST_NOEXEC ? MOUNT_ATTR_NOEXEC : 0)
           | (status.f_flag & NSRUN_ST_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0);
}

/// Mounts an overlay; without `upper` a read-only one.
static int place_overlay(struct nsrun_world *w, const char *lower, unsigned kept, int upper, int work,
                         bool is_volatile, const char *const *further, struct nsrun_place *place) {
    char upper_path[32], work_path[32];
    const char *options[12 + 2 * MOST_OPTIONS];
    size_t n = 0;
    options[n++] = "lowerdir", options[n++] = lower;
    if (upper >= 0) {
        nsrun_fd_path(upper, upper_path);
        nsrun_fd_path(work, work_path);
        options[n++] = "upperdir", options[n++] = upper_path;
        options[n++] = "workdir", options[n++] = work_path;
        if (is_volatile)
            options[n++] = "volatile", options[n++] = NULL;
    }
    options[n++] = "userxattr", options[n++] = NULL;
    for (size_t i = 0; further != NULL && further[i] != NULL; i += 2) {
        if (i == 2 * MOST_OPTIONS)
            return -E2BIG;
        options[n++] = further[i];
        options[n++] = further[i + 1][0] == 0 ? NULL : further[i + 1];
    }
    options[n] = NULL;
    return nsrun_place_filesystem(w, "overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | kept,
                                  place);
}

int nsrun_overlay(struct nsrun_world *w, const struct nsrun_step *step) {
    char lower[MOST_LAYERS * 24];
    int upper = -1, work = -1, fds[MOST_LAYERS];
    unsigned count = 0, kept = 0;
    size_t used = 0;
    int error = 0;
    lower[0] = 0;
    w->call = NSRUN_CALL_SOURCE;
    for (; step->list[count] != NULL && error == 0; count++) {
        if (count == MOST_LAYERS) {
            error = -E2BIG;
            break;
        }
        // A root that is there already is what lies below the layer.
        fds[count] = step->flags & NSRUN_INSIDE
                         ? nsrun_result(fcntl(w->root, F_DUPFD_CLOEXEC, 3))
                         : open_layer(step->list[count]);
        if (fds[count] < 0) {
            error = fds[count];
            break;
        }
        kept |= kept_attributes(fds[count]);
        used += (size_t)snprintf(lower + used, sizeof lower - used, "%s/proc/self/fd/%d",
                                 count ? ":" : "", fds[count]);
    }
    const bool read_only = step->flags & NSRUN_READ_ONLY;
    if (error == 0 && !read_only) {
        if (step->source != NULL) {
            upper = open_layer(step->source);
            work = open_layer(step->data);
            error = upper < 0 ? upper : work < 0 ? work : 0;
        } else {
            error = layers_in_memory(w, &upper, &work);
        }
    }
    struct nsrun_place place = {.fd = -1, .is_root = true};
    if (error == 0 && w->root >= 0)
        error = nsrun_find(w, step->target, NSRUN_KIND_DIRECTORY, step->flags, 0755, &place);
    if (error == 0) {
        w->call = NSRUN_CALL_STEP;
        error = place_overlay(w, lower, kept, upper, work, step->flags & NSRUN_VOLATILE, step->list2, &place);
    }
    while (count > 0)
        close(fds[--count]);
    if (upper >= 0)
        close(upper);
    if (work >= 0)
        close(work);
    if (place.fd >= 0)
        close(place.fd);
    return error;
}

/// Lays an overlay in memory over a directory, so that files can be made in it.
static int layer(struct nsrun_world *w, struct nsrun_place *place) {
    int upper = -1, work = -1;
    char lower[32];
    nsrun_fd_path(place->fd, lower);
    int error = layers_in_memory(w, &upper, &work);
    if (error == 0)
        error = place_overlay(w, lower, kept_attributes(place->fd), upper, work, true, NULL, place);
    if (error == 0)
        error = nsrun_remember_copy(w, place, place->path);
    if (upper >= 0)
        close(upper);
    if (work >= 0)
        close(work);
    return error;
}

/// Makes sure that a directory of the rootfs has some files, without writing to it. One overlay is far
/// cheaper than copying a directory of a hundred entries, and where there are no overlays the steps
/// that want the files do copy it.
int nsrun_complete(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place;
    int error = nsrun_find_directory(w, step->target, &place);
    if (error < 0)
        return error == -EIO ? error : 0;   // the steps that want the files make it, or do without
    bool layered = false;
    const bool closed = nsrun_is_closed(w, place.fd);
    for (const char *const *name = step->list; *name != NULL; name++) {
        struct stat status;
        // A symlink counts as there: the step that binds the file follows it, inside the root.
        if (fstatat(place.fd, *name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (errno == EIO || errno == ENOMEM) {   // which says nothing of the file
            const int fault = -errno;
            close(place.fd);
            return fault;
        }
        if (!layered && !closed && mknodat(place.fd, *name, S_IFREG | 0644, 0) == 0)
            continue;
        if (!layered && layer(w, &place) < 0)
            break;
        layered = true;
        if (mknodat(place.fd, *name, S_IFREG | 0644, 0) != 0)
            break;
    }
    close(place.fd);
    return 0;
}
