// SPDX-License-Identifier: Apache-2.0
//
// Mounts by mount(2), for kernels before 5.12 and sandboxes that answer ENOSYS to the newer calls.
// Descriptors reach mount(2) as /proc/self/fd/N, so that here too a path is resolved only once.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "include/parsers.h"
#include "executor.h"

/// The flags that a remount must repeat: in a user namespace those of the source are locked.
static unsigned long present_flags(int fd) {
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0)
        return 0;
    static const struct {
        unsigned long seen, flag;
    } table[] = {{ST_RDONLY, MS_RDONLY},     {ST_NOSUID, MS_NOSUID},
                 {ST_NODEV, MS_NODEV},       {ST_NOEXEC, MS_NOEXEC},
                 {ST_NOATIME, MS_NOATIME},   {ST_NODIRATIME, MS_NODIRATIME},
                 {ST_RELATIME, MS_RELATIME}, {NSRUN_ST_NOSYMFOLLOW, NSRUN_MS_NOSYMFOLLOW}};
    unsigned long flags = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (status.f_flag & table[i].seen)
            flags |= table[i].flag;
    return flags;
}

static int remount(const char *path, int fd, unsigned long set, unsigned long clear) {
    const unsigned long present = present_flags(fd);
    const unsigned long wanted = (present & ~clear) | set;
    if (wanted == present)
        return 0;
    return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | wanted, NULL) == 0 ? 0 : -errno;
}

static bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// Undoes the octal escapes of mountinfo in place.
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from != 0;) {
        if (from[0] == '\\' && from[1] <= '3' && is_octal(from[1]) && is_octal(from[2])
            && is_octal(from[3])) {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

/// Takes a number and the blank behind it.
static bool take_number(char **text, unsigned *number) {
    char *end = *text;
    if (*end < '0' || *end > '9')
        return false;
    *number = (unsigned)strtoul(*text, &end, 10);
    *text = end + 1;
    return *end == ' ';
}

bool nsrun_read_mount_line(char *line, struct nsrun_mount_line *mount) {
    char *point = line, *end = NULL;
    if (!take_number(&point, &mount->id) || !take_number(&point, &mount->parent))
        return false;
    // Two more fields, then the mount point. Behind the NUL of a line that has fewer lies the next one's text.
    for (int field = 0; field < 3; field++) {
        if (end != NULL)
            point = end + 1;
        end = strchr(point, ' ');
        if (end == NULL)
            return false;
    }
    *end = 0;
    unescape(point);
    mount->point = point;
    return true;
}

/// The number of the mount that a descriptor is on, 0 where it cannot be told.
static unsigned mount_id(int fd) {
    char path[40], text[512];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0)
        return 0;
    text[count] = 0;
    const char *line = strstr(text, "mnt_id:");
    return line != NULL ? (unsigned)strtoul(line + 7, NULL, 10) : 0;
}

/// The mounts of one tree, as far as they have been met.
struct tree {
    unsigned ids[1024];
    size_t count;
};

static bool contains(const struct tree *tree, unsigned id) {
    for (size_t i = 0; i < tree->count; i++)
        if (tree->ids[i] == id)
            return true;
    return false;
}

/// Applies the flags to the mount of one line of mountinfo, if it belongs to the tree.
static int remount_line(struct nsrun_world *w, char *line, struct tree *tree, unsigned long set) {
    struct nsrun_mount_line found;
    if (!nsrun_read_mount_line(line, &found) || !contains(tree, found.parent)
        || contains(tree, found.id))
        return 0;
    if (tree->count == sizeof tree->ids / sizeof tree->ids[0])
        return -E2BIG;
    tree->ids[tree->count++] = found.id;
    // Below the place where the new root hangs, a path of mountinfo is one of the root.
    const size_t prefix = strlen(w->workspace_path) + strlen("/root");
    if (strlen(found.point) < prefix)
        return 0;
    int fd = nsrun_reopen(w, found.point + prefix);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES)
        return 0;   // hidden under another mount: the command cannot reach it either
    if (fd < 0)
        return fd;
    int error = 0;
    if (mount_id(fd) == found.id) {
        char path[32];
        nsrun_fd_path(fd, path);
        error = remount(path, fd, set, 0);
        if (error < 0 && (w->plan->flags & NSRUN_TOLERATE_SUBMOUNTS))
            error = 0;
    }
    close(fd);
    return error;
}

/// Applies the flags to every mount below the one that `top` is the root of.
static int remount_below(struct nsrun_world *w, int top, unsigned long set) {
    struct tree tree = {.ids = {mount_id(top)}, .count = 1};
    int file = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    char buffer[2 * PATH_MAX];
    size_t held = 0;
    int error = 0;
    while (error == 0) {
        ssize_t count = read(file, buffer + held, sizeof buffer - 1 - held);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            error = -errno;
        if (count <= 0)
            break;
        held += (size_t)count;
        buffer[held] = 0;
        char *line = buffer, *end;
        for (; error == 0 && (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = 0;
            error = remount_line(w, line, &tree, set);
        }
        held = (size_t)(buffer + held - line);
        memmove(buffer, line, held);
        if (held == sizeof buffer - 1)
            error = -E2BIG;
    }
    close(file);
    return error;
}

int nsrun_classic_attributes(struct nsrun_world *w, int fd, unsigned long set, bool recursive) {
    char path[32];
    nsrun_fd_path(fd, path);
    int error = remount(path, fd, set, 0);
    return error < 0 || !recursive ? error : remount_below(w, fd, set);
}

/// Opens what was just mounted at a place: its path again, for the descriptor shows what is below.
static int top_of(struct nsrun_world *w, const struct nsrun_place *place) {
    if (place->is_root)
        return nsrun_result(openat(w->workspace, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return nsrun_reopen(w, place->path);
}

/// Takes note of a mount made at `place`.
static int settle(struct nsrun_world *w, struct nsrun_place *place) {
    int fd = top_of(w, place);
    if (fd < 0)
        return fd;
    if (place->fd >= 0)
        close(place->fd);
    place->fd = fd;
    nsrun_forget_parent(w);
    if (place->is_root) {
        if (w->root >= 0)
            close(w->root);
        w->known_root = -1;
        w->root = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        w->host_root = false;
        if (w->root < 0)
            return -errno;
    }
    return 0;
}

/// The path at which mount(2) finds a place; the root's is in the workspace.
static int destination_path(struct nsrun_world *w, const struct nsrun_place *place,
                            char path[64]) {
    if (!place->is_root) {
        nsrun_fd_path(place->fd, path);
        return 0;
    }
    int error = nsrun_workspace(w);
    if (error == 0)
        snprintf(path, 64, "%s/root", w->workspace_path);
    return error;
}

int nsrun_classic_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                       struct nsrun_place *place) {
    char from[32], to[64];
    int opened = -1;
    if (source[0] != 0) {
        opened = openat(source_dir, source,
                        O_PATH | O_CLOEXEC | (source_dir == AT_FDCWD ? 0 : O_NOFOLLOW));
        if (opened < 0)
            return -errno;
    }
    nsrun_fd_path(opened >= 0 ? opened : source_dir, from);
    int error = destination_path(w, place, to);
    const unsigned long recursive = flags & NSRUN_RECURSIVE ? MS_REC : 0;
    if (error == 0 && mount(from, to, NULL, MS_BIND | recursive, NULL) != 0)
        error = -errno;
    if (opened >= 0)
        close(opened);
    if (error == 0)
        error = settle(w, place);
    if (error < 0)
        return error;
    unsigned long set = 0;
    if (!(flags & NSRUN_SETUID))
        set |= MS_NOSUID;
    if (!(flags & NSRUN_DEVICES))
        set |= MS_NODEV;
    if (flags & NSRUN_READ_ONLY)
        set |= MS_RDONLY;
    if (flags & NSRUN_NO_EXECUTE)
        set |= MS_NOEXEC;
    if (set == 0)
        return 0;
    w->call = NSRUN_CALL_ATTRIBUTES;
    nsrun_fd_path(place->fd, from);
    // What the host mounts below from now on would be as writable here as it is there.
    if ((flags & NSRUN_READ_ONLY) && mount(NULL, from, NULL, MS_PRIVATE | recursive, NULL) != 0)
        return -errno;
    error = nsrun_classic_attributes(w, place->fd, set, recursive);
    if (error == 0)
        w->call = NSRUN_CALL_STEP;
    return error;
}

int nsrun_classic_link(struct nsrun_world *w, const char *name, struct nsrun_place *place) {
    int link = openat(w->scratch, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (link < 0)
        return -errno;
    // A descriptor of a symlink stands for the link itself, on either side.
    char from[32], to[32];
    nsrun_fd_path(link, from);
    nsrun_fd_path(place->fd, to);
    int error = mount(from, to, NULL, MS_BIND, NULL) == 0 ? 0 : -errno;
    close(link);
    return error;
}

int nsrun_classic_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                             unsigned attributes, struct nsrun_place *place) {
    char data[PATH_MAX], to[64];
    size_t used = 0;
    data[0] = 0;
    for (; *options != NULL; options += 2) {
        int size = snprintf(data + used, sizeof data - used, "%s%s%s%s", used ? "," : "",
                            options[0], options[1] ? "=" : "", options[1] ? options[1] : "");
        if (size < 0 || (size_t)size >= sizeof data - used)
            return -E2BIG;
        used += (size_t)size;
    }
    unsigned long flags = 0;
    if (attributes & MOUNT_ATTR_NOSUID)
        flags |= MS_NOSUID;
    if (attributes & MOUNT_ATTR_NODEV)
        flags |= MS_NODEV;
    if (attributes & MOUNT_ATTR_NOEXEC)
        flags |= MS_NOEXEC;
    if (attributes & MOUNT_ATTR_RDONLY)
        flags |= MS_RDONLY;
    if (attributes & MOUNT_ATTR_NOSYMFOLLOW)
        flags |= NSRUN_MS_NOSYMFOLLOW;
    int error = destination_path(w, place, to);
    if (error < 0)
        return error;
    if (mount(type, to, type, flags, used ? data : NULL) != 0)
        return -errno;
    return settle(w, place);
}
