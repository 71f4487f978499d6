// SPDX-License-Identifier: Apache-2.0
//
// The executor's state, and the small verbs that only look at it or change it.

#define _GNU_SOURCE
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <time.h>

#include "executor.h"

void nsrun_world_prepare(struct nsrun_world *w, const struct nsrun_plan *plan, struct nsrun_report *report) {
    *w = (struct nsrun_world){
        .plan = plan,
        .root = -1,
        .base = -1,
        .scratch = -1,
        .workspace = -1,
        .parent = -1,
        .known_root = -1,
        .proc = -1,
        .group = -1,
        .first_user = -1,
        .kept_count = plan->kept_count,
        .channel = -1,
        .life = -1,
        .ready = -1,
        .stub = -1,
        .stub_to_start = -1,
        .report = report,
        .no_openat2 = plan->flags & NSRUN_NO_OPENAT2,
    };
    w->attached = !(plan->flags & NSRUN_DETACHED_ROOT);
    // Modes are given exactly; the command gets its umask back before it starts. So it does its limit on the size of
    // files, which what is made in memory for it would count against.
    w->old_umask = umask(0);
    w->file_size = (struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (getrlimit(RLIMIT_FSIZE, &w->file_size) == 0)
        nsrun_lift_file_size(w);
}

void nsrun_lift_file_size(const struct nsrun_world *w) {
    const struct rlimit lifted = {.rlim_cur = w->file_size.rlim_max, .rlim_max = w->file_size.rlim_max};
    if (w->file_size.rlim_cur != w->file_size.rlim_max)
        setrlimit(RLIMIT_FSIZE, &lifted);
}

int nsrun_restore_file_size(const struct nsrun_world *w) {
    const bool is_limited = w->file_size.rlim_cur != RLIM_INFINITY || w->file_size.rlim_max != RLIM_INFINITY;
    return is_limited && setrlimit(RLIMIT_FSIZE, &w->file_size) != 0 ? -errno : 0;
}

int nsrun_send(const struct nsrun_world *w) {
    const size_t size = offsetof(struct nsrun_report, text) + w->report->head.length;
    for (;;) {
        if (send(w->channel, w->report, size, MSG_NOSIGNAL) >= 0)
            return 0;
        // A want of memory passes, and somebody waits for the word, or for the answer to it.
        if (errno != EINTR && errno != ENOMEM && errno != ENOBUFS)
            return -errno;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

int nsrun_await_answer(struct nsrun_world *w) {
    unsigned char order[2];
    for (;;) {
        const ssize_t size = recv(w->channel, order, sizeof order, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)   // the launcher has been killed
            return size < 0 ? -errno : -EPIPE;
        if (size == 1 && order[0] == NSRUN_ORDER_GO_ON)
            return 0;
        if (size == 2 && order[1] >= 1 && order[1] <= 64)
            w->early |= 1ull << (order[1] - 1);
    }
}

int nsrun_open_proc(struct nsrun_world *w) {
    if (w->proc < 0)
        w->proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    return w->proc;
}

void nsrun_let_go(struct nsrun_world *w) {
    int *const own[] = {&w->root, &w->base, &w->scratch, &w->workspace, &w->parent, &w->proc};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (*own[i] >= 0)
            close(*own[i]);
        *own[i] = -1;
    }
}

void nsrun_choose_calls(struct nsrun_world *w) {
    w->has_chosen = true;
    w->classic = w->plan->flags & NSRUN_CLASSIC_MOUNTS;
    if (!w->classic) {
        struct mount_attr none = {.attr_set = 0};
        // None of them finds anything to change. Who may mount is told just that; EPERM is then a filter's answer, which
        // is to be taken for a kernel's that has none of these calls.
        const struct {
            const char *name;
            int answer;
        } calls[] = {
            {"open_tree", nsrun_open_tree(-1, "", OPEN_TREE_CLONE | AT_EMPTY_PATH)},
            {"fsopen", nsrun_fsopen(NULL)},
            {"fsconfig", nsrun_fsconfig(-1, FSCONFIG_CMD_CREATE, NULL, NULL)},
            {"fsmount", nsrun_fsmount(-1, 0)},
            {"move_mount", nsrun_move_mount(-1, -1, "", MOVE_MOUNT_T_EMPTY_PATH)},
            {"mount_setattr", nsrun_result(syscall(SYS_mount_setattr, -1, "", AT_EMPTY_PATH, &none, sizeof none))},
        };
        for (size_t i = 0; i < sizeof calls / sizeof calls[0] && !w->classic; i++) {
            w->classic = nsrun_is_lacking(calls[i].answer);
            w->lacking = w->classic ? calls[i].name : NULL;
        }
    }
    w->attached |= w->classic;
}

void nsrun_remember_made(struct nsrun_world *w, int fd) {
    struct stat status;
    if (w->made_count < sizeof w->made / sizeof w->made[0] && fstat(fd, &status) == 0)
        w->made[w->made_count++] = status.st_dev;
}

bool nsrun_is_own(const struct nsrun_world *w, int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    for (unsigned i = 0; i < w->made_count; i++)
        if (w->made[i] == status.st_dev)
            return true;
    return false;
}

/// The directory is the caller's own, but nobody may write to it by its mode. In a user namespace he could all
/// the same, but it is to be left as it is, as somebody else's would be.
bool nsrun_is_closed(const struct nsrun_world *w, int directory) {
    struct stat status;
    struct statfs filesystem;
    return (w->plan->flags & NSRUN_MIRROR) && fstat(directory, &status) == 0
           && status.st_uid == geteuid() && !(status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH))
           && fstatfs(directory, &filesystem) == 0 && filesystem.f_type != PROC_SUPER_MAGIC
           && filesystem.f_type != SYSFS_MAGIC;
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
        if (length > NAME_MAX) {
            close(current);
            return -ENAMETOOLONG;
        }
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

void nsrun_forget_parent(struct nsrun_world *w) {
    if (w->parent >= 0)
        close(w->parent);
    w->parent = -1;
}
