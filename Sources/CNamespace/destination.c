// SPDX-License-Identifier: Apache-2.0
//
// Finds, and where wanted makes, the place below the new root that something goes to.
//
// The root is hostile: its symlinks may point anywhere. openat2(RESOLVE_IN_ROOT) answers for what is
// there already. Where it is missing, or the kernel has no openat2, the path is walked component by
// component with O_NOFOLLOW; a symlink's text is spliced into what is still to be walked, and `..`
// walks again from the root, so that nothing ever leaves it.

#define _GNU_SOURCE
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "executor.h"

enum { MOST_TRIES = 8 };   ///< to reach a place while others make and remove what lies on the way

static void replace_fd(struct nsrun_place *place, int fd) {
    close(place->fd);
    place->fd = fd;
}

/// Lets `make` make something in place->fd, or in a copy of that directory in memory where it cannot be
/// written. The one place that knows which directories are left alone.
static int make_in(struct nsrun_world *w, struct nsrun_place *place, const char *name,
                   nsrun_maker *make, const void *what) {
    const unsigned policy = w->plan->flags;
    for (bool copied = false;; copied = true) {
        struct stat status;
        int error;
        if ((policy & NSRUN_SPARE_HOST) && !nsrun_is_own(w, place->fd)
            && fstatat(place->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            // What the caller cannot write may be copied; what he can write must stay his own
            // directory, or his files would vanish with the copy.
            if (faccessat(place->fd, ".", W_OK, AT_EACCESS) == 0) {
                w->call = NSRUN_CALL_SPARED;
                return -ENOENT;
            }
            w->call = NSRUN_CALL_CREATE;
            error = -EACCES;
        } else if (!copied && nsrun_is_closed(w, place->fd)
                   && fstatat(place->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            w->call = NSRUN_CALL_CREATE;
            error = -EACCES;
        } else {
            error = make(w, place->fd, name, what);
        }
        // EOVERFLOW: an overlay changes nothing of owners or groups that the run does not have.
        if (copied || !(policy & NSRUN_MIRROR)
            || (error != -EROFS && error != -EACCES && error != -EPERM && error != -EOVERFLOW))
            return error;
        error = nsrun_cover(w, place, NULL);
        if (error < 0) {
            w->call = NSRUN_CALL_MIRROR;
            return error;
        }
    }
}

struct component {
    enum nsrun_kind kind;
    mode_t mode;
};

/// Of what is made for a mount, in a directory that may well stay behind: others may have to remove it.
static mode_t mode_of(const struct nsrun_world *w, enum nsrun_kind kind, mode_t mode) {
    const mode_t all = kind == NSRUN_KIND_FILE ? 0666 : 0777;
    return w->plan->flags & NSRUN_PLACES_BY_UMASK ? mode | (all & ~w->old_umask) : mode;
}

/// An empty directory or file, unless it is there already: 1 where the launcher takes it away.
static int make_component(struct nsrun_world *w, int parent, const char *name, const void *what) {
    const struct component *component = what;
    w->call = NSRUN_CALL_CREATE;
    const mode_t mode = mode_of(w, component->kind, component->mode);
    const int leftover = nsrun_make_leftover(w, parent, name, component->kind, mode);
    if (leftover != 0)
        return leftover;
    const int made = component->kind == NSRUN_KIND_FILE ? mknodat(parent, name, S_IFREG | mode, 0)
                                                        : mkdirat(parent, name, mode);
    return made == 0 || errno == EEXIST ? 0 : -errno;
}

static int append(struct nsrun_place *place, const char *name) {
    size_t length = strlen(place->path);
    if (length + 1 + strlen(name) >= sizeof place->path)
        return -ENAMETOOLONG;
    place->path[length] = '/';
    strcpy(place->path + length + 1, name);
    return 0;
}

/// A link of proc(5) that the kernel follows to an open file rather than along its text. Only those in
/// the topmost directory, such as /proc/self, are ordinary.
static bool is_magic(int link, int parent) {
    struct statfs filesystem;
    struct stat status;
    return fstatfs(link, &filesystem) == 0 && filesystem.f_type == PROC_SUPER_MAGIC
           && fstat(parent, &status) == 0 && status.st_ino != 1;
}

/// What another run has made to be mounted on, and may take away: this run's as well, or, where its directory is not to be
/// changed, replaced in a copy of that. 1 where it is missing now; -EAGAIN where it has been taken away; or 0.
static int claim(struct nsrun_world *w, struct nsrun_place *place, const char *name, int found, unsigned flags) {
    struct stat status;
    if (!w->mounts_here || fstat(found, &status) != 0 || !nsrun_is_leftover(&status) || nsrun_is_own(w, place->fd))
        return 0;
    if (!(w->plan->flags & NSRUN_MIRROR) || (flags & NSRUN_MUST_EXIST)
        || faccessat(place->fd, ".", W_OK, AT_EACCESS) == 0)
        return nsrun_claim_leftover(w, place->fd, name);
    const int error = nsrun_cover(w, place, name);
    if (error < 0)
        w->call = NSRUN_CALL_MIRROR;
    return error < 0 ? error : 1;
}

static int walk(struct nsrun_world *w, const char *path, enum nsrun_kind kind, unsigned flags,
                mode_t mode, struct nsrun_place *place) {
    char pending[PATH_MAX], name[NAME_MAX + 1], link[PATH_MAX];
    if (strlen(path) >= sizeof pending)
        return -ENAMETOOLONG;
    strcpy(pending, path);
    place->path[0] = 0;
    place->fd = nsrun_reopen(w, "");
    if (place->fd < 0)
        return place->fd;
    int links = 0, error = 0;
    char *rest = pending;
    for (;;) {
        rest += strspn(rest, "/");
        size_t length = strcspn(rest, "/");
        if (length == 0)
            break;
        if (length > NAME_MAX) {
            error = -ENAMETOOLONG;
            break;
        }
        memcpy(name, rest, length);
        name[length] = 0;
        rest += length;
        const bool last = rest[strspn(rest, "/")] == 0;
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            char *slash = strrchr(place->path, '/');
            if (slash != NULL)
                *slash = 0;
            int parent = nsrun_reopen(w, place->path);
            if (parent < 0) {
                error = parent;
                break;
            }
            replace_fd(place, parent);
            continue;
        }
        place->is_root = place->path[0] == 0;
        int next = openat(place->fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (next < 0 && errno == ENOENT && !(flags & NSRUN_MUST_EXIST)) {
            const struct component missing = {.kind = last ? kind : NSRUN_KIND_DIRECTORY,
                                              .mode = last ? mode : w->parent_mode};
            error = make_in(w, place, name, make_component, &missing);
            if (error < 0)
                break;
            next = openat(place->fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        }
        if (next < 0) {
            error = -errno;
            break;
        }
        // What lies on the way as well: who made it may end before this run does.
        if (error == 0) {
            error = claim(w, place, name, next, flags);
            if (error != 0)
                close(next);
            if (error < 0)
                break;
            if (error == 1) {
                rest -= length;   // now it is missing, and is made
                error = 0;
                continue;
            }
        }
        error = 0;
        ssize_t size = readlinkat(next, "", link, sizeof link - 1);
        if (size < 0 || (last && (flags & NSRUN_ONTO_LINK))) {
            replace_fd(place, next);
            error = append(place, name);
            if (error < 0)
                break;
            continue;
        }
        const bool magic = is_magic(next, place->fd);
        close(next);
        if (magic) {
            error = -ELOOP;
            break;
        }
        link[size] = 0;
        if (last && (flags & NSRUN_REFUSE_LINK)) {
            w->call = NSRUN_CALL_LINK;
            error = -ELOOP;
            break;
        }
        if (last && (flags & NSRUN_REPLACE_LINK) && !(flags & NSRUN_REFUSE_LINK)) {
            // The view promises a real directory here: the link gives way in a copy of its parent.
            error = nsrun_cover(w, place, name);
            if (error < 0) {
                w->call = NSRUN_CALL_MIRROR;
                break;
            }
            rest -= length;   // now it is missing, and is made
            continue;
        }
        size_t tail = strlen(rest);
        if (++links > 40 || (size_t)size + tail + 2 > sizeof pending) {
            error = links > 40 ? -ELOOP : -ENAMETOOLONG;
            break;
        }
        memmove(pending + size, rest, tail + 1);
        memcpy(pending, link, (size_t)size);
        rest = pending;
        if (link[0] == '/') {
            place->path[0] = 0;
            int root = nsrun_reopen(w, "");
            if (root < 0) {
                error = root;
                break;
            }
            replace_fd(place, root);
        }
    }
    if (error < 0) {
        close(place->fd);
        place->fd = -1;
        return error;
    }
    place->is_root = place->path[0] == 0;
    return 0;
}

static bool names_root(const char *path) { return path[strspn(path, "/.")] == 0; }

/// Splits a path before its last component. Returns that component, or NULL where there is none that
/// a directory could hold.
static const char *split(const char *path, char parent[PATH_MAX], char name[NAME_MAX + 1]) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end == start || end - start > NAME_MAX || start >= PATH_MAX)
        return NULL;
    memcpy(name, path + start, end - start);
    name[end - start] = 0;
    memcpy(parent, path, start);
    parent[start] = 0;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? NULL : name;
}

/// Opens the directory that holds the last component, if it is there. The last one is remembered: most
/// destinations lie next to each other.
static int open_parent(struct nsrun_world *w, const char *parent) {
    if (names_root(parent)) {
        nsrun_forget_parent(w);
        if (w->known_root != w->root) {
            w->known_root = w->root;
            w->root_is_own = nsrun_is_own(w, w->root);
        }
        w->parent_is_own = w->root_is_own;
        return w->root;
    }
    if (w->parent >= 0 && strcmp(w->parent_path, parent) == 0)
        return w->parent;
    int fd = nsrun_openat2(w->root, parent, O_PATH | O_DIRECTORY,
                           RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd < 0) {
        if (nsrun_is_lacking(fd))
            w->no_openat2 = true;
        return fd;
    }
    nsrun_forget_parent(w);
    w->parent = fd;
    w->parent_is_own = nsrun_is_own(w, fd);
    strcpy(w->parent_path, parent);
    return fd;
}

/// The usual case in few calls: the parent is there, and the last component is no symlink. Returns 1
/// where it was just made, 0 where it is to be looked at, -EAGAIN where the walk must decide.
static int find_quickly(struct nsrun_world *w, const char *path, enum nsrun_kind kind,
                        unsigned flags, mode_t mode, struct nsrun_place *place) {
    char parent[PATH_MAX], name[NAME_MAX + 1];
    // The classic calls need the canonical path, which only the walk finds.
    if (nsrun_is_classic(w) || w->no_openat2 || split(path, parent, name) == NULL)
        return -EAGAIN;
    int directory = open_parent(w, parent);
    if (directory < 0)
        return -EAGAIN;
    // In a directory that this run made, what is looked for is seldom there yet.
    const bool is_own = w->parent_is_own;
    int fd = -1;
    bool made = false;
    if (!is_own) {
        fd = openat(directory, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && (errno != ENOENT || (w->plan->flags & NSRUN_SPARE_HOST)))
            return -EAGAIN;
    }
    if (fd < 0) {
        if ((flags & NSRUN_MUST_EXIST) || (!is_own && nsrun_is_closed(w, directory)))
            return -EAGAIN;
        if (!is_own && (w->plan->flags & NSRUN_TAKE_AWAY))
            return -EAGAIN;
        mode = mode_of(w, kind, mode);
        made = (kind == NSRUN_KIND_FILE ? mknodat(directory, name, S_IFREG | mode, 0)
                                        : mkdirat(directory, name, mode)) == 0;
        if (!made && errno != EEXIST)
            return -EAGAIN;
        fd = openat(directory, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0)
        return -EAGAIN;
    place->fd = fd;
    place->is_root = false;
    place->path[0] = 0;
    return made ? 1 : 0;
}

int nsrun_find(struct nsrun_world *w, const char *path, enum nsrun_kind kind, unsigned flags,
               mode_t mode, struct nsrun_place *place) {
    w->call = NSRUN_CALL_DESTINATION;
    if ((w->plan->flags & NSRUN_REFUSE_LINKS) && w->mounts_here)
        flags |= NSRUN_REFUSE_LINK;
    struct stat status;
    int error = find_quickly(w, path, kind, flags, mode, place);
    if (error == 1) {
        w->call = NSRUN_CALL_STEP;
        return 0;
    }
    if (error == 0) {
        error = fstat(place->fd, &status) == 0 ? 0 : -errno;
        const bool is_link = error == 0 && S_ISLNK(status.st_mode) && !(flags & NSRUN_ONTO_LINK);
        if (is_link || (error == 0 && nsrun_is_leftover(&status))) {
            close(place->fd);
            error = -EAGAIN;
        }
    }
    if (error == -EAGAIN) {
        nsrun_forget_parent(w);
        // A mount point may be taken away on the way, and is made again.
        int tries = 0;
        do {
            error = walk(w, path, kind, flags, mode, place);
        } while (tries++ < MOST_TRIES && (error == -EAGAIN || (error == -ENOENT && !(flags & NSRUN_MUST_EXIST))));
        if (error < 0)
            return error;
        if (fstat(place->fd, &status) != 0)
            error = -errno;
    }
    if (error < 0)
        return error;
    const bool is_directory = S_ISDIR(status.st_mode);
    if (kind != NSRUN_KIND_ANY && is_directory != (kind == NSRUN_KIND_DIRECTORY)) {
        close(place->fd);
        w->call = NSRUN_CALL_TYPE;
        return is_directory ? -EISDIR : -ENOTDIR;
    }
    w->call = NSRUN_CALL_STEP;
    return 0;
}

int nsrun_find_directory(struct nsrun_world *w, const char *path, struct nsrun_place *place) {
    w->call = NSRUN_CALL_DESTINATION;
    int error = walk(w, path, NSRUN_KIND_DIRECTORY, NSRUN_MUST_EXIST, 0, place);
    if (error == 0)
        w->call = NSRUN_CALL_STEP;
    return error;
}

int nsrun_open_below(const char *root, const char *path, int flags) {
    int directory = nsrun_open(root, O_PATH | O_DIRECTORY);
    if (directory < 0)
        return directory;
    int fd = nsrun_openat2(directory, path, (uint64_t)flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    // EAGAIN: a ".." on the way, and something was renamed or mounted at that moment.
    if (nsrun_is_lacking(fd) || fd == -EAGAIN) {
        const struct nsrun_plan plan = {.flags = 0};
        struct nsrun_world w = {.plan = &plan, .root = directory, .parent = -1, .proc = -1};
        struct nsrun_place place;
        fd = walk(&w, path, NSRUN_KIND_ANY, NSRUN_MUST_EXIST, 0, &place);
        if (fd == 0)
            fd = place.fd;
        if (fd >= 0 && !(flags & O_PATH)) {
            // What the walk has reached is opened by descriptor, never by its path again.
            char name[32];
            nsrun_fd_path(place.fd, name);
            fd = nsrun_open(name, flags);
            close(place.fd);
        }
    }
    close(directory);
    return fd;
}

int nsrun_open_inside(const struct nsrun_world *w, const char *path, int flags) {
    if (!w->entered)
        return nsrun_open(path, flags);
    const int fd = w->no_openat2
                       ? -ENOSYS
                       : nsrun_openat2(AT_FDCWD, path, (uint64_t)flags, RESOLVE_NO_MAGICLINKS);
    return nsrun_is_lacking(fd) ? nsrun_open_below("/", path, flags) : fd;
}

int nsrun_make(struct nsrun_world *w, const struct nsrun_step *step, nsrun_maker *make) {
    char parent[PATH_MAX], name[NAME_MAX + 1];
    w->call = NSRUN_CALL_DESTINATION;
    if (split(step->target, parent, name) == NULL)
        return -EEXIST;
    struct nsrun_place place;
    int error;
    if (!nsrun_is_classic(w) && !w->no_openat2) {
        int directory = open_parent(w, parent);
        if (directory >= 0 && w->parent_is_own) {
            error = make(w, directory, name, step);
            if (error != -EROFS)
                return error;
        }
    }
    // The walk finds the canonical path, by which a copy is found again.
    error = walk(w, parent, NSRUN_KIND_DIRECTORY, 0, w->parent_mode, &place);
    if (error < 0)
        return error;
    error = make_in(w, &place, name, make, step);
    close(place.fd);
    return error;
}
