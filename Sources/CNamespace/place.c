// SPDX-License-Identifier: Apache-2.0
//
// What is mounted where: a place that was found gets a bind, a link, a file system or an empty directory in memory.
//
// By descriptor: open_tree, fsopen, fsmount, mount_setattr, move_mount (Linux 5.12). Where the kernel can mount onto a
// detached tree (6.15) the root is put together visible nowhere and attached in one step; elsewhere it is attached
// first and put together in place. Without these calls classic.c does it.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "executor.h"

/// The mount attributes that a bind adds. Flags that the source carries stay in force.
static uint64_t bind_attributes(unsigned flags) {
    uint64_t set = 0;
    if (!(flags & NSRUN_SETUID))
        set |= MOUNT_ATTR_NOSUID;
    if (!(flags & NSRUN_DEVICES))
        set |= MOUNT_ATTR_NODEV;
    if (flags & NSRUN_READ_ONLY)
        set |= MOUNT_ATTR_RDONLY;
    if (flags & NSRUN_NO_EXECUTE)
        set |= MOUNT_ATTR_NOEXEC;
    return set;
}

/// Puts a detached mount where it belongs; `place->fd` is the mount's root afterwards.
int nsrun_place_mount(struct nsrun_world *w, int mount, bool is_file, struct nsrun_place *place) {
    int error = 0;
    if (!place->is_root) {
        error = nsrun_move_mount(mount, place->fd, "", MOVE_MOUNT_T_EMPTY_PATH);
    } else if (!w->attached) {
        // Nothing is seen of the tree yet: the new mount simply is the root from now on.
        w->base = mount;
    } else if (w->root >= 0 && !w->host_root) {
        error = nsrun_move_mount(mount, w->root, "", MOVE_MOUNT_T_EMPTY_PATH);
    } else {
        error = nsrun_workspace(w);
        if (error == 0)
            error = nsrun_move_mount(mount, w->workspace, "root", 0);
    }
    if (error < 0) {
        close(mount);
        return error;
    }
    if (!is_file)
        nsrun_forget_parent(w);
    if (place->is_root) {
        // A detached tree ends with its descriptor, and this one may still be copied from.
        if (w->root >= 0 && w->attached)
            close(w->root);
        w->root = mount;
        w->known_root = -1;
        w->host_root = false;
        mount = fcntl(mount, F_DUPFD_CLOEXEC, 3);
        if (mount < 0)
            return -errno;
    }
    if (place->fd >= 0)
        close(place->fd);
    place->fd = mount;
    return 0;
}

int nsrun_clone_tree(int dir, const char *path, unsigned flags) {
    unsigned how = OPEN_TREE_CLONE | AT_NO_AUTOMOUNT;
    if (flags & NSRUN_RECURSIVE)
        how |= AT_RECURSIVE;
    if (path[0] == 0)
        how |= AT_EMPTY_PATH;
    else if (dir != AT_FDCWD)
        how |= AT_SYMLINK_NOFOLLOW;
    return nsrun_open_tree(dir, path, how);
}

int nsrun_set_bind_attributes(int tree, unsigned flags) {
    struct mount_attr attributes = {.attr_set = bind_attributes(flags)};
    if (attributes.attr_set == 0)
        return 0;
    // What the host mounts below from now on, an automounter say, would be as writable here as it is there.
    if (flags & NSRUN_READ_ONLY)
        attributes.propagation = MS_PRIVATE;
    const unsigned how = AT_EMPTY_PATH | (flags & NSRUN_RECURSIVE ? AT_RECURSIVE : 0);
    return nsrun_result(syscall(SYS_mount_setattr, tree, "", how, &attributes, sizeof attributes));
}

int nsrun_place_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                     struct nsrun_place *place) {
    if (nsrun_is_classic(w))
        return nsrun_classic_bind(w, source_dir, source, flags, place);
    int tree = nsrun_clone_tree(source_dir, source, flags);
    if (tree < 0)
        return tree;
    int error = nsrun_set_bind_attributes(tree, flags);
    if (error < 0) {
        close(tree);
        return error;
    }
    return nsrun_place_mount(w, tree, false, place);
}

int nsrun_place_link(struct nsrun_world *w, const char *name, struct nsrun_place *place) {
    if (nsrun_is_classic(w))
        return nsrun_classic_link(w, name, place);
    int tree = nsrun_clone_tree(w->scratch, name, 0);
    return tree < 0 ? tree : nsrun_place_mount(w, tree, true, place);
}

int nsrun_place_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                           unsigned attributes, struct nsrun_place *place) {
    int error;
    if (nsrun_is_classic(w)) {
        error = nsrun_classic_filesystem(w, type, options, attributes, place);
    } else {
        int mount = nsrun_make_filesystem(type, options, attributes);
        if (mount < 0)
            return mount;
        error = nsrun_place_mount(w, mount, false, place);
    }
    if (error == 0 && strcmp(type, "tmpfs") == 0)
        nsrun_remember_made(w, place->fd);
    return error;
}

/// A tmpfs for files that are bound into the root: never visible as a whole.
int nsrun_scratch(struct nsrun_world *w) {
    if (w->scratch >= 0)
        return 0;
    if (!nsrun_is_classic(w)) {
        static const char *const options[] = {"mode", "0755", NULL};
        int error =
            nsrun_make_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (error < 0)
            return error;
        w->scratch = error;
        nsrun_remember_made(w, w->scratch);
        if (w->plan->flags & NSRUN_DETACHED_ROOT)
            return 0;
        // Older kernels clone only from mounts that are attached.
        error = nsrun_workspace(w);
        return error < 0 ? error : nsrun_move_mount(w->scratch, w->workspace, "scratch", 0);
    }
    int error = nsrun_workspace(w);
    if (error < 0)
        return error;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/scratch", w->workspace_path);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
        return -errno;
    w->scratch =
        nsrun_result(openat(w->workspace, "scratch", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (w->scratch < 0)
        return w->scratch;
    nsrun_remember_made(w, w->scratch);
    return 0;
}

int nsrun_scratch_file(struct nsrun_world *w, mode_t mode, char name[16]) {
    int error = nsrun_scratch(w);
    if (error < 0)
        return error;
    snprintf(name, 16, "%u", w->scratch_names++);
    return nsrun_result(
        openat(w->scratch, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode));
}

int nsrun_place_private(struct nsrun_world *w, mode_t mode, struct nsrun_place *place) {
    char name[16];
    if (!(w->plan->flags & NSRUN_DETACHED_ROOT) || nsrun_is_classic(w)) {
        snprintf(name, sizeof name, "%o", mode);
        const char *const options[] = {"mode", name, NULL};
        return nsrun_place_filesystem(w, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                      place);
    }
    // Directories of one tmpfs, each a mount of its own: making and ending a file system costs more
    // than all the rest of it.
    int error = nsrun_scratch(w);
    if (error < 0)
        return error;
    snprintf(name, sizeof name, "%u", w->scratch_names++);
    if (mkdirat(w->scratch, name, mode) != 0)
        return -errno;
    int tree = nsrun_clone_tree(w->scratch, name, 0);
    return tree < 0 ? tree : nsrun_place_mount(w, tree, false, place);
}
