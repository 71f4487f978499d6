// Finds, and where wanted makes, the place below the new root that something goes to.
//
// The root is hostile: its symlinks may point anywhere. openat2(RESOLVE_IN_ROOT) answers for what is
// there already. Where it is missing, or the kernel has no openat2, the path is walked component by
// component with O_NOFOLLOW; a symlink's text is spliced into what is still to be walked, and `..`
// walks again from the root, so that nothing ever leaves it.

#define _GNU_SOURCE
#include <string.h>

#include "world.h"

bool nsrun_is_own(const struct nsrun_world *w, int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    for (unsigned i = 0; i < w->made_count; i++)
        if (w->made[i] == status.st_dev)
            return true;
    return false;
}

/// Opens a canonical path (no symlinks, no dots) below the root, crossing mounts.
int nsrun_reopen(struct nsrun_world *w, const char *path) {
    // "." reaches the directory itself: what is mounted on the root is tracked in w->root.
    int current = openat(w->root, ".", O_PATH | O_CLOEXEC | O_DIRECTORY);
    char name[NAME_MAX + 1];
    while (current >= 0) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            return current;
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        int next = openat(current, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        int error = errno;
        close(current);
        errno = error;
        current = next;
    }
    return -errno;
}

static void replace_fd(struct nsrun_place *place, int fd) {
    close(place->fd);
    place->fd = fd;
}

/// Makes one component in place->fd; copies that directory into memory where it cannot be written.
static int create(struct nsrun_world *w, struct nsrun_place *place, const char *name,
                  enum nsrun_kind kind, mode_t mode) {
    const unsigned policy = w->plan->flags;
    for (int attempt = 0;; attempt++) {
        int error = 0;
        if ((policy & NSRUN_SPARE_HOST) && !nsrun_is_own(w, place->fd)) {
            // What the caller cannot write may be copied; what he can write must stay his own
            // directory, or his files would vanish with the copy.
            if (faccessat(place->fd, ".", W_OK, AT_EACCESS) == 0) {
                w->call = NSRUN_CALL_SPARED;
                return -ENOENT;
            }
            error = -EACCES;
        } else if (kind == NSRUN_KIND_FILE) {
            int fd = openat(place->fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
            if (fd >= 0)
                close(fd);
            else
                error = -errno;
        } else if (mkdirat(place->fd, name, mode) != 0) {
            error = -errno;
        }
        if (error == 0 || error == -EEXIST)
            return 0;
        w->call = NSRUN_CALL_CREATE;
        if (attempt > 0 || !(policy & NSRUN_MIRROR)
            || (error != -EROFS && error != -EACCES && error != -EPERM))
            return error;
        error = nsrun_mirror(w, place, NULL);
        if (error < 0) {
            w->call = NSRUN_CALL_MIRROR;
            return error;
        }
    }
}

static void append(struct nsrun_place *place, const char *name) {
    size_t length = strlen(place->path);
    if (length + 1 + strlen(name) < sizeof place->path) {
        place->path[length] = '/';
        strcpy(place->path + length + 1, name);
    }
}

static int walk(struct nsrun_world *w, const char *path, enum nsrun_kind kind, unsigned flags,
                mode_t mode, struct nsrun_place *place) {
    char todo[PATH_MAX], name[NAME_MAX + 1], link[PATH_MAX];
    if (strlen(path) >= sizeof todo)
        return -ENAMETOOLONG;
    strcpy(todo, path);
    place->path[0] = 0;
    place->fd = nsrun_reopen(w, "");
    if (place->fd < 0)
        return place->fd;
    int links = 0, error = 0;
    char *rest = todo;
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
            error = create(w, place, name, last ? kind : NSRUN_KIND_DIRECTORY, last ? mode : 0755);
            if (error < 0)
                break;
            next = openat(place->fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        }
        if (next < 0) {
            error = -errno;
            break;
        }
        ssize_t size = readlinkat(next, "", link, sizeof link - 1);
        if (size < 0) {   // not a symlink
            replace_fd(place, next);
            append(place, name);
            continue;
        }
        close(next);
        link[size] = 0;
        if (last && (flags & NSRUN_REFUSE_LINK)) {
            w->call = NSRUN_CALL_LINK;
            error = -ELOOP;
            break;
        }
        if (last && (flags & NSRUN_REPLACE_LINK)) {
            // The view promises a real directory here: the link gives way in a copy of its parent.
            error = nsrun_mirror(w, place, name);
            if (error < 0) {
                w->call = NSRUN_CALL_MIRROR;
                break;
            }
            rest -= length;   // now it is missing, and is made
            continue;
        }
        size_t tail = strlen(rest);
        if (++links > 40 || (size_t)size + tail + 2 > sizeof todo) {
            error = links > 40 ? -ELOOP : -ENAMETOOLONG;
            break;
        }
        memmove(todo + size, rest, tail + 1);
        memcpy(todo, link, (size_t)size);
        rest = todo;
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

int nsrun_find(struct nsrun_world *w, const char *path, enum nsrun_kind kind, unsigned flags,
               mode_t mode, struct nsrun_place *place) {
    w->call = NSRUN_CALL_DESTINATION;
    int error = -ENOSYS;
    // The classic calls need the canonical path, which only the walk finds.
    if (!(w->plan->flags & NSRUN_CLASSIC_MOUNTS) && !w->no_openat2 && !names_root(path)) {
        const bool keep_link = flags & (NSRUN_REFUSE_LINK | NSRUN_REPLACE_LINK);
        place->fd = nsrun_openat2(w->root, path, O_PATH | (keep_link ? O_NOFOLLOW : 0),
                                  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        place->is_root = false;
        place->path[0] = 0;
        error = place->fd < 0 ? place->fd : 0;
        if (error == -ENOSYS)
            w->no_openat2 = true;
    }
    struct stat status;
    if (error == 0) {
        if (fstat(place->fd, &status) != 0)
            error = -errno;
        else if (S_ISLNK(status.st_mode)) {
            close(place->fd);
            error = -ENOENT;   // the walk knows what to do with it
        } else if (status.st_ino != 0) {
            // A symlink such as `x -> /` leads to the root itself, which is placed differently.
            struct stat root;
            if (fstat(w->root, &root) == 0 && root.st_dev == status.st_dev
                && root.st_ino == status.st_ino) {
                close(place->fd);
                error = -ENOENT;
            }
        }
    }
    if (error == -ENOENT || error == -ENOSYS || error == -ELOOP || error == -EXDEV
        || error == -EAGAIN) {
        error = walk(w, path, kind, flags, mode, place);
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

int nsrun_find_parent(struct nsrun_world *w, const char *path, char name[NAME_MAX + 1]) {
    char parent[PATH_MAX];
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end == start || end - start > NAME_MAX || start >= sizeof parent) {
        w->call = NSRUN_CALL_DESTINATION;
        return end == start ? -EEXIST : -ENAMETOOLONG;
    }
    memcpy(name, path + start, end - start);
    name[end - start] = 0;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        w->call = NSRUN_CALL_DESTINATION;
        return -EINVAL;
    }
    memcpy(parent, path, start);
    parent[start] = 0;
    struct nsrun_place place;
    int error = nsrun_find(w, start > 0 ? parent : "/", NSRUN_KIND_DIRECTORY, 0, 0755, &place);
    if (error < 0)
        return error;
    // Something is to be made in there: see to it now that it can be written.
    struct stat status;
    if (fstatat(place.fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0
        && (w->plan->flags & NSRUN_MIRROR)) {
        const bool spare = (w->plan->flags & NSRUN_SPARE_HOST) && !nsrun_is_own(w, place.fd);
        const bool writable = faccessat(place.fd, ".", W_OK, AT_EACCESS) == 0;
        if (spare && writable) {
            close(place.fd);
            w->call = NSRUN_CALL_SPARED;
            return -ENOENT;
        }
        if (!writable) {
            if (place.path[0] == 0 && !place.is_root)
                place.is_root = names_root(parent);
            error = nsrun_mirror(w, &place, NULL);
            if (error < 0) {
                w->call = NSRUN_CALL_MIRROR;
                return error;
            }
        }
    }
    return place.fd;
}
