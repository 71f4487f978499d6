// SPDX-License-Identifier: Apache-2.0
//
// Steps that mount something, and the change into the new root.

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "executor.h"

static const char *const none[] = {NULL};
static const unsigned strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// A descriptor of the caller's is of the mount namespace that was left, where nothing can be cloned: its
/// path is opened again in this one, and must lead to the same file.
static int reopen_source(int fd) {
    char path[PATH_MAX];
    const ssize_t size = nsrun_locate_descriptor(fd, path, sizeof path);
    if (size < 0)
        return (int)size;
    int again = open(path, O_PATH | O_CLOEXEC);
    if (again < 0)
        return -errno;
    struct stat given, found;
    if (fstat(fd, &given) == 0 && fstat(again, &found) == 0 && given.st_dev == found.st_dev
        && given.st_ino == found.st_ino)
        return again;
    close(again);
    return -ESTALE;
}

/// One call finds the path and clones what is there. Security modules refuse the second with EACCES, which says
/// of a path that it is out of reach.
static int clone_path(struct nsrun_world *w, const char *path, unsigned flags) {
    const int tree = nsrun_clone_tree(AT_FDCWD, path, flags);
    if (tree != -EACCES)
        return tree;
    const int found = open(path, O_PATH | O_CLOEXEC);
    if (found >= 0) {
        close(found);
        w->call = NSRUN_CALL_STEP;
    }
    return tree;
}

static int open_source(struct nsrun_world *w, const struct nsrun_step *step) {
    if (step->flags & NSRUN_INSIDE) {
        struct nsrun_place place;
        int error = nsrun_find(w, step->source, NSRUN_KIND_ANY, NSRUN_MUST_EXIST, 0, &place);
        if (error < 0 || nsrun_is_classic(w))
            return error < 0 ? error : place.fd;
        int tree = nsrun_clone_tree(place.fd, "", step->flags);
        close(place.fd);
        return tree;
    }
    if (step->fd < 0)
        return nsrun_is_classic(w) ? nsrun_open(step->source, O_PATH)
                          : clone_path(w, step->source, step->flags);
    int file = reopen_source(step->fd);
    if (file < 0 || nsrun_is_classic(w))
        return file;
    int tree = nsrun_clone_tree(file, "", step->flags);
    close(file);
    return tree;
}

/// What a view shows of the host by itself is a file with a text in it or a device.
static bool is_fit_by_itself(const struct stat *status) { return S_ISREG(status->st_mode) || S_ISCHR(status->st_mode); }

static int bind(struct nsrun_world *w, const struct nsrun_step *step) {
    w->call = NSRUN_CALL_SOURCE;
    // What is cloned or opened here is what gets mounted: the path is resolved once.
    int source = open_source(w, step);
    if (source < 0)
        // bubblewrap takes a file on the way for a mistake.
        return (step->flags & NSRUN_TRY)
                       && (source == -ENOENT
                           || (source == -ENOTDIR && !(w->plan->flags & NSRUN_REFUSE_LINKS)))
                   ? 0
                   : source;
    struct stat status;
    int error = fstat(source, &status) == 0 ? 0 : -errno;
    const bool is_directory = S_ISDIR(status.st_mode);
    if (error == 0 && (step->flags & NSRUN_DIRECTORY_ONLY) && !is_directory)
        error = -ENOTDIR;
    if (error == 0 && (step->flags & NSRUN_IMPLIED) && !is_fit_by_itself(&status))
        error = is_directory ? -EISDIR : -EINVAL;
    struct nsrun_place place = {.fd = -1, .is_root = true};
    bool is_absent = false;
    if (error == 0 && w->root >= 0) {
        unsigned flags = step->flags;
        if ((flags & NSRUN_COVER_LINK) && !is_directory)
            flags |= NSRUN_ONTO_LINK;
        else if ((flags & NSRUN_COVER_LINK) && !(w->plan->flags & NSRUN_SPARE_HOST))
            flags |= NSRUN_REPLACE_LINK;
        error = nsrun_find(w, step->target, is_directory ? NSRUN_KIND_DIRECTORY : NSRUN_KIND_FILE,
                           flags, step->mode ? step->mode : is_directory ? 0755 : nsrun_place_mode(w),
                           &place);
        // What this process cannot reach, the command cannot.
        is_absent = error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -EOVERFLOW;
    }
    if (error < 0) {
        close(source);
    } else if (nsrun_is_classic(w)) {
        w->call = NSRUN_CALL_STEP;
        error = nsrun_classic_bind(w, source, "", step->flags, &place);
        close(source);
    } else {
        w->call = NSRUN_CALL_ATTRIBUTES;
        // A single device node needs no attributes: nothing below it, nothing to execute.
        if (is_directory || step->flags != (NSRUN_RECURSIVE | NSRUN_DEVICES | NSRUN_TRY))
            error = nsrun_set_bind_attributes(source, step->flags);
        if (error < 0) {
            close(source);
        } else {
            w->call = NSRUN_CALL_STEP;
            error = nsrun_place_mount(w, source, !is_directory, &place);
        }
    }
    if (place.fd >= 0)
        close(place.fd);
    // Or it was there, and is not any more.
    is_absent |= error == -ENOENT;
    return is_absent && (step->flags & NSRUN_MUST_EXIST) ? 0 : error;
}

int nsrun_bind(struct nsrun_world *w, const struct nsrun_step *step) {
    const int error = bind(w, step);
    // What cannot be read at all is damaged.
    if (error == 0 || error == -EIO || !(step->flags & NSRUN_IMPLIED))
        return error;
    // A file that has been replaced where it is mounted, say, can be read, but not mounted once more.
    if (nsrun_bind_content(w, step) < 0)
        w->passed_over = -error;
    return 0;
}

int nsrun_filesystem(struct nsrun_world *w, const struct nsrun_step *step, const char *type,
                     const char *const *options, unsigned attributes) {
    struct nsrun_place place;
    int error = nsrun_find(w, step->target, NSRUN_KIND_DIRECTORY, step->flags, 0755, &place);
    if (error < 0)
        return error;
    error = nsrun_place_filesystem(w, type, options, attributes, &place);
    close(place.fd);
    return error;
}

int nsrun_proc(struct nsrun_world *w, const struct nsrun_step *step) {
    return nsrun_filesystem(w, step, "proc", none, strict);
}

int nsrun_devpts(struct nsrun_world *w, const struct nsrun_step *step) {
    static const char *const options[] = {"newinstance", NULL, "ptmxmode", "0666", "mode", "0620", NULL};
    return nsrun_filesystem(w, step, "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

int nsrun_mqueue(struct nsrun_world *w, const struct nsrun_step *step) {
    return nsrun_filesystem(w, step, "mqueue", none, strict);
}

int nsrun_tmpfs(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place;
    int error = nsrun_find(w, step->target, NSRUN_KIND_DIRECTORY, step->flags, 0755, &place);
    if (error < 0)
        return error;
    if (step->value == 0) {
        error = nsrun_place_private(w, step->mode, &place);
    } else {
        char mode[16], size[32];
        snprintf(mode, sizeof mode, "%o", step->mode);
        snprintf(size, sizeof size, "%llu", (unsigned long long)step->value);
        const char *const options[] = {"mode", mode, "size", size, NULL};
        error = nsrun_place_filesystem(w, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                       &place);
    }
    close(place.fd);
    return error;
}

int nsrun_remount_read_only(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place;
    int error = nsrun_find(w, step->target, NSRUN_KIND_ANY, NSRUN_MUST_EXIST, 0, &place);
    if (error < 0)
        return error;
    w->call = NSRUN_CALL_ATTRIBUTES;
    if (nsrun_is_classic(w)) {
        error = nsrun_classic_attributes(w, place.fd, MS_RDONLY, false);
    } else {
        error = nsrun_mount_setattr(place.fd, 0, MOUNT_ATTR_RDONLY, 0);
    }
    close(place.fd);
    return error;
}

int nsrun_root_host(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)step;
    if (nsrun_is_classic(w)) {
        // The classic calls bind files from a tmpfs that must not stay behind on the host's root,
        // so even the host view gets a root of its own to enter.
        struct nsrun_place place = {.fd = -1, .is_root = true};
        int error = nsrun_classic_bind(w, AT_FDCWD, "/",
                                       NSRUN_RECURSIVE | NSRUN_SETUID | NSRUN_DEVICES, &place);
        if (error == 0)
            close(place.fd);
        return error;
    }
    w->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    w->host_root = w->attached = true;
    return w->root < 0 ? -errno : 0;
}

int nsrun_root_tmpfs(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)step;
    static const char *const options[] = {"mode", "0755", NULL};
    struct nsrun_place place = {.fd = -1, .is_root = true};
    int error = nsrun_place_filesystem(w, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                       &place);
    if (error == 0)
        close(place.fd);
    return error;
}

/// Whether `..` of the root stays in the root: nothing of the host is left above or on top of it.
static int check_root(const struct nsrun_world *w) {
    struct stat root, above;
    if (fstat(w->root, &root) != 0 || stat("/..", &above) != 0)
        return -errno;
    return root.st_dev == above.st_dev && root.st_ino == above.st_ino ? 0 : -EXDEV;
}

/// A root that hangs nowhere, as an initramfs that stays the root, cannot be pivoted away from before Linux 7. What is
/// mounted on top of it is the root of all who enter the mount namespace, this process now among them; and nothing leads
/// below, as after a system's change from its initramfs to its root. In a chroot the namespace's root is another one.
static int enter_on_top(struct nsrun_world *w) {
    if (nsrun_open_proc(w) < 0)
        return w->proc;
    const int namespace = nsrun_result(openat(w->proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC));
    if (namespace < 0)
        return namespace;
    int error = w->attached && mount(".", "/", NULL, MS_MOVE, NULL) != 0 ? -errno : 0;
    if (error == 0 && setns(namespace, CLONE_NEWNS) != 0)
        error = -errno;
    close(namespace);
    if (error == 0)
        error = check_root(w);
    return error == -EXDEV ? -EINVAL : error;
}

int nsrun_enter(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)step;
    int error = 0;
    if (!w->attached)
        error = nsrun_move_mount(w->base, AT_FDCWD, "/", 0);
    // Attributes of a mount inside a tree can be changed only once the tree is attached.
    if (error == 0)
        error = nsrun_seal(w);
    if (error == 0 && w->host_root)
        return nsrun_leave_workspace(w);
    if (error < 0)
        return error;
    // For what hangs nowhere the kernel waits (RCU) when its last descriptor is closed, and for the old root below: so
    // this goes with that. Where it cannot, it only takes longer.
    if (w->scratch >= 0 && w->workspace < 0)
        nsrun_move_mount(w->scratch, AT_FDCWD, "/proc", 0);
    if (fchdir(w->root) != 0)
        return -errno;
    // The old root ends up on top of the new one, and is taken away from there with all that was
    // mounted in it: no put_old directory.
    error = nsrun_pivot_root(".", ".");
    if (error == 0 && (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0))
        error = -errno;
    if (error == -EINVAL)
        error = enter_on_top(w);
    if (error < 0)
        return error;
    w->entered = true;
    return check_root(w);
}
