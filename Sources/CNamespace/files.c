// SPDX-License-Identifier: Apache-2.0
//
// Files, links and directories made in the new root, and files in memory bound into it.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "executor.h"

/// What is copied of a file that cannot be bound.
enum { LARGEST_COPY = 4 << 20 };

/// A passwd or group file of the root that is larger is no such file: it would be copied into memory.
enum { LARGEST_ACCOUNT_FILE = 256 << 20 };

int nsrun_copy(int from, int to, off_t limit) {
    char buffer[16384];
    while (limit != 0) {
        size_t want = limit > 0 && limit < (off_t)sizeof buffer ? (size_t)limit : sizeof buffer;
        ssize_t count = read(from, buffer, want);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            return 0;
        int error = nsrun_write_all(to, buffer, (size_t)count);
        if (error < 0)
            return error;
        if (limit > 0)
            limit -= count;
    }
    return 0;
}

static int fill(struct nsrun_world *w, int file, const struct nsrun_step *step) {
    w->call = NSRUN_CALL_CONTENT;
    int error = step->fd >= 0 ? nsrun_copy(step->fd, file, -1)
                              : nsrun_write_all(file, step->data, step->length);
    if (error == 0)
        w->call = NSRUN_CALL_STEP;
    return error;
}

int nsrun_bind_scratch(struct nsrun_world *w, const char *name, const struct nsrun_step *step) {
    struct nsrun_place place;
    int error = nsrun_find(w, step->target, NSRUN_KIND_FILE, step->flags, nsrun_place_mode(w), &place);
    if (error < 0)
        return error;
    error = nsrun_place_bind(w, w->scratch, name, step->flags & NSRUN_READ_ONLY, &place);
    close(place.fd);
    return error;
}

int nsrun_bind_content(struct nsrun_world *w, const struct nsrun_step *step) {
    char name[16];
    const int source = step->source == NULL || (step->flags & NSRUN_INSIDE)
                           ? -EINVAL
                           : nsrun_open(step->source, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (source < 0)
        return source;
    struct stat status;
    int error = fstat(source, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= LARGEST_COPY ? 0 : -EINVAL;
    const int file = error < 0 ? error : nsrun_scratch_file(w, 0644, name);
    if (file >= 0) {
        error = nsrun_copy(source, file, LARGEST_COPY);
        close(file);
    }
    close(source);
    return file < 0 ? file : error < 0 ? error : nsrun_bind_scratch(w, name, step);
}

int nsrun_bind_data(struct nsrun_world *w, const struct nsrun_step *step) {
    char name[16];
    int file = nsrun_scratch_file(w, step->mode, name);
    if (file < 0)
        return file;
    int error = fill(w, file, step);
    close(file);
    struct nsrun_step covering = *step;
    if (step->flags & NSRUN_COVER_LINK)
        covering.flags |= NSRUN_ONTO_LINK;
    if (error == 0)
        error = nsrun_bind_scratch(w, name, &covering);
    const bool is_absent = error == -ENOENT || error == -ENOTDIR || error == -EACCES;
    return is_absent && (step->flags & NSRUN_MUST_EXIST) ? 0 : error;
}

int nsrun_prepend(struct nsrun_world *w, const struct nsrun_step *step) {
    char name[16];
    int file = nsrun_scratch_file(w, 0644, name);
    if (file < 0)
        return file;
    int error = nsrun_write_all(file, step->data, step->length);
    // The root's own file may be anything: only a regular one is read, and not without end. One that is not there or
    // not for us to read leaves the data alone.
    const int own = error < 0 ? error : nsrun_open_file(w, step->target, LARGEST_ACCOUNT_FILE);
    struct stat status;
    if (own >= 0) {
        error = fstat(own, &status) == 0 ? nsrun_copy(own, file, status.st_size) : -errno;
        close(own);
    } else if (error == 0 && !nsrun_is_out_of_reach(own) && own != -EINVAL && own != -EISDIR && own != -EPERM) {
        error = own;
    }
    close(file);
    if (error < 0) {
        w->call = NSRUN_CALL_CONTENT;
        return error;
    }
    error = nsrun_bind_scratch(w, name, step);
    // Whatever the root has in its place. Nobody has asked for it.
    const bool has_its_own = nsrun_is_out_of_reach(error) || error == -EISDIR || error == -EROFS || error == -EPERM
                             || error == -EOVERFLOW || error == -EINVAL;
    if (has_its_own && w->call != NSRUN_CALL_STEP) {
        w->passed_over = -error;
        error = 0;
    }
    return error;
}

int nsrun_bind_link(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = nsrun_scratch(w);
    if (error < 0)
        return error;
    char name[16];
    snprintf(name, sizeof name, "%u", w->scratch_names++);
    if (symlinkat(step->source, w->scratch, name) != 0)
        return -errno;
    struct nsrun_place place;
    error = nsrun_find(w, step->target, NSRUN_KIND_FILE, NSRUN_ONTO_LINK, 0644, &place);
    if (error == -EISDIR && w->call == NSRUN_CALL_TYPE)
        return 0;   // whatever the root means by a directory there
    if (error < 0)
        return error;
    error = nsrun_place_link(w, name, &place);
    close(place.fd);
    return error;
}

static int make_file(struct nsrun_world *w, int parent, const char *name, const void *what) {
    const struct nsrun_step *step = what;
    w->call = NSRUN_CALL_CREATE;
    int file = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
                      step->mode);
    if (file < 0 && errno == EEXIST)   // as bubblewrap: what is there is written, but no symlink
        file = openat(parent, name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
        return -errno;
    int error = fill(w, file, step);
    close(file);
    return error;
}

static int make_symlink(struct nsrun_world *w, int parent, const char *name, const void *what) {
    const struct nsrun_step *step = what;
    w->call = NSRUN_CALL_CREATE;
    if (symlinkat(step->source, parent, name) == 0)
        return 0;
    int error = -errno;
    char text[PATH_MAX];
    if (error == -EEXIST) {   // the same link again is no conflict
        ssize_t size = readlinkat(parent, name, text, sizeof text);
        if (size >= 0 && (size_t)size == strlen(step->source)
            && memcmp(text, step->source, (size_t)size) == 0)
            return 0;
        // What is there instead, for the message.
        w->call = NSRUN_CALL_OTHER_LINK;
        w->report->head.length = size < 0 || size > NSRUN_REPORT_TEXT ? 0 : (uint32_t)size;
        memcpy(w->report->text, text, w->report->head.length);
    }
    return error;
}

int nsrun_file(struct nsrun_world *w, const struct nsrun_step *step) {
    return nsrun_make(w, step, make_file);
}

int nsrun_symlink(struct nsrun_world *w, const struct nsrun_step *step) {
    return nsrun_make(w, step, make_symlink);
}

/// bubblewrap makes and changes nothing through a link.
static unsigned heed_links(const struct nsrun_world *w, unsigned flags) {
    return w->plan->flags & NSRUN_REFUSE_LINKS ? flags | NSRUN_REFUSE_LINK : flags;
}

int nsrun_directory(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place;
    const unsigned flags = heed_links(w, step->flags);
    int error = nsrun_find(w, step->target, NSRUN_KIND_DIRECTORY, flags, step->mode, &place);
    if (error == 0)
        close(place.fd);
    return error;
}

int nsrun_chmod(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place;
    const unsigned flags = heed_links(w, NSRUN_MUST_EXIST);
    int error = nsrun_find(w, step->target, NSRUN_KIND_ANY, flags, 0, &place);
    if (error < 0)
        return error;
    char path[32];
    nsrun_fd_path(place.fd, path);
    error = chmod(path, step->mode) == 0 ? 0 : -errno;
    close(place.fd);
    return error;
}

int nsrun_open_file(struct nsrun_world *w, const char *path, off_t largest) {
    struct nsrun_place place;
    const int error = nsrun_find(w, path, NSRUN_KIND_FILE, NSRUN_MUST_EXIST, 0, &place);
    if (error < 0)
        return error;
    char name[32];
    nsrun_fd_path(place.fd, name);
    struct stat status;
    // What is no file may do something when it is opened.
    int fd = fstat(place.fd, &status) != 0   ? -errno
             : !S_ISREG(status.st_mode)      ? -EINVAL
             : status.st_size > largest      ? -EFBIG
                                             : nsrun_open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    close(place.fd);
    return fd;
}
