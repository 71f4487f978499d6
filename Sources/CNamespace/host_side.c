// SPDX-License-Identifier: Apache-2.0
//
// What is done on the host's side before there is a new root: namespaces entered, maps written, directories made.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "executor.h"

int nsrun_setns(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    return setns(step->fd, (int)step->value) == 0 ? 0 : -errno;
}

int nsrun_propagation(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    return mount(NULL, "/", NULL, MS_REC | step->value, NULL) == 0 ? 0 : -errno;
}

int nsrun_hostname(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    return sethostname(step->data, strlen(step->data)) == 0 ? 0 : -errno;
}

/// One write to a file of the host's /proc, also where the new root has none or another one.
int nsrun_write_once(struct nsrun_world *w, const struct nsrun_step *step) {
    const char *below = step->target + strlen("/proc/");
    int fd = nsrun_open_proc(w) < 0 ? w->proc : nsrun_result(openat(w->proc, below, O_WRONLY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    // An id map takes exactly one write, so a short one is an error rather than a reason to go on.
    size_t length = strlen(step->data);
    ssize_t count;
    do {
        count = write(fd, step->data, length);
    } while (count < 0 && errno == EINTR);
    int error = count < 0 ? -errno : (size_t)count == length ? 0 : -EIO;
    close(fd);
    return error;
}

/// With NSRUN_OWN of the caller's own group: where a directory hands its group down (set-group-ID), what is made
/// below would have one that is not mapped, and no overlay takes that.
int nsrun_host_directory(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    if (mkdir(step->target, 0755) != 0 && errno != EEXIST)
        return -errno;
    if (!(step->flags & NSRUN_OWN))
        return 0;
    const int fd = nsrun_open(step->target, O_RDONLY | O_DIRECTORY);
    struct stat status;
    // Of somebody else's nothing can be changed: the mount tells.
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_uid == geteuid()
        && (status.st_gid != getegid() || (status.st_mode & S_ISGID))) {
        if (fchown(fd, (uid_t)-1, getegid()) == 0)
            fchmod(fd, status.st_mode & 0777);
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

int nsrun_host_place(struct nsrun_world *w, const struct nsrun_step *step) {
    const int made = step->flags & NSRUN_DIRECTORY_ONLY
                         ? mkdir(step->target, 0777 & ~w->old_umask)
                         : mknod(step->target, S_IFREG | (0666 & ~w->old_umask), 0);
    return made == 0 || errno == EEXIST ? 0 : -errno;
}
