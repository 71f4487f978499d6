// SPDX-License-Identifier: Apache-2.0
//
// Files of a layered root that are of a group which is not mapped, such as shadow's: the overlay could not give its copy to
// that group, so nobody could write to them. Made again in the layer, they are of the one group that there is.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "executor.h"

/// What is larger is no list of accounts, and not worth the memory.
enum { LARGEST = 16 << 20 };

static int make_file_again(int folder, const char *name, int file, mode_t mode) {
    static const char temporary[] = ".nsrun-new";
    char path[32];
    nsrun_fd_path(file, path);
    const int from = nsrun_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (from < 0)
        return from;
    const int to =
        nsrun_result(openat(folder, temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
    int error = to < 0 ? to : nsrun_copy(from, to, -1);
    if (error == 0 && (fchmod(to, mode & 0777) != 0 || renameat(folder, temporary, folder, name) != 0))
        error = -errno;
    if (error < 0 && to >= 0)
        unlinkat(folder, temporary, 0);
    if (to >= 0)
        close(to);
    close(from);
    return error;
}

/// Only one that is empty can be.
static int make_directory_again(int folder, const char *name, mode_t mode) {
    if (unlinkat(folder, name, AT_REMOVEDIR) != 0 || mkdirat(folder, name, mode & 0777) != 0)
        return -errno;
    return 0;
}

static int make_again(struct nsrun_world *w, const char *path, int found, const struct stat *status) {
    char parent[PATH_MAX];
    const char *name = strrchr(path, '/') + 1;
    snprintf(parent, sizeof parent, "%.*s", (int)(name - path), path);
    struct nsrun_place folder;
    int error = nsrun_find(w, parent, NSRUN_KIND_DIRECTORY, NSRUN_MUST_EXIST, 0, &folder);
    if (error < 0)
        return error;
    if (S_ISDIR(status->st_mode))
        error = make_directory_again(folder.fd, name, status->st_mode);
    else if (S_ISREG(status->st_mode) && status->st_size <= LARGEST)
        error = make_file_again(folder.fd, name, found, status->st_mode);
    close(folder.fd);
    nsrun_forget_parent(w);
    return error;
}

int nsrun_adopt(struct nsrun_world *w, const struct nsrun_step *step) {
    for (const char *const *path = step->list; *path != NULL; path++) {
        struct nsrun_place place;
        if (nsrun_find(w, *path, NSRUN_KIND_ANY, NSRUN_MUST_EXIST | NSRUN_ONTO_LINK, 0, &place) < 0)
            continue;
        struct stat status;
        // What cannot be made again stays as it is, as everything else that is not on the list.
        if (fstat(place.fd, &status) == 0 && status.st_uid == geteuid() && status.st_gid != getegid()) {
            const int error = make_again(w, *path, place.fd, &status);
            if (error < 0)
                w->passed_over = -error;
        }
        close(place.fd);
    }
    return 0;
}
