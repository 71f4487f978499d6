// SPDX-License-Identifier: Apache-2.0
//
// What the process becomes before it is the command: session, limits, ids, descriptors.

#define _GNU_SOURCE
#include <linux/keyctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "executor.h"

int nsrun_session(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    return setsid() >= 0 ? 0 : -errno;
}

int nsrun_process_group(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    return setpgid(0, 0) == 0 ? 0 : -errno;
}

int nsrun_personality(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    return personality(step->value) >= 0 ? 0 : -errno;
}

/// Where the kernel has no keys, or a container forbids them, there are none to hide.
int nsrun_keyring(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    const long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    return ring >= 0 || errno == ENOSYS || errno == EPERM ? 0 : -errno;
}

int nsrun_rlimit(struct nsrun_world *w, const struct nsrun_step *step) {
    struct rlimit limit = {.rlim_cur = step->value, .rlim_max = step->value2}, present;
    if (step->flags & NSRUN_ONLY_LOWER) {
        if (step->number == RLIMIT_FSIZE)
            present = w->file_size;
        else if (getrlimit(step->number, &present) != 0)
            return -errno;
        if (present.rlim_max < limit.rlim_max)
            limit.rlim_max = present.rlim_max;
        if (present.rlim_cur < limit.rlim_cur)
            limit.rlim_cur = present.rlim_cur;
    }
    if (step->number != RLIMIT_FSIZE)
        return setrlimit(step->number, &limit) == 0 ? 0 : -errno;
    // Not before the last file of this run is made.
    const struct rlimit lifted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur > limit.rlim_max)
        return -EINVAL;
    if (limit.rlim_max > w->file_size.rlim_max && setrlimit(RLIMIT_FSIZE, &lifted) != 0)
        return -errno;
    w->file_size = limit;
    return 0;
}

/// One descriptor becomes another, and stays open when the command starts.
int nsrun_redirect(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    const int target = (int)step->value;
    if (step->fd == target)
        return fcntl(target, F_SETFD, 0) == 0 ? 0 : -errno;
    return dup2(step->fd, target) >= 0 ? 0 : -errno;
}

int nsrun_ids(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    // The raw calls: glibc's wrappers signal every thread of the parent's image.
    uid_t uid = (uid_t)step->value;
    gid_t gid = (gid_t)step->value2;
    if (syscall(SYS_setresgid, gid, gid, gid) != 0)
        return -errno;
    return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : -errno;
}

/// A shared lock that lasts as long as this process: pid 1's where there is one.
int nsrun_lock_file(struct nsrun_world *w, const struct nsrun_step *step) {
    int fd = nsrun_open_inside(w, step->target, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    // Pid 1 keeps it open; the command's copy closes at exec, which releases nothing of pid 1's.
    w->plan->kept_fds[w->kept_count++] = fd;
    return 0;
}
