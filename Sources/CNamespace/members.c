// SPDX-License-Identifier: Apache-2.0
//
// See members.h. A process is told by its user namespace: what the commands of a group have started is in that one, or, if it
// has made one of its own, in one below. No list of them is kept, so none is forgotten, and none can leave.

#define _GNU_SOURCE
#include "members.h"

#include <linux/nsfs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "include/io.h"
#include "meeting.h"
#include "syscalls.h"

/// User namespaces are nested no deeper (user_namespaces(7)).
enum { MOST_LEVELS = 33 };

void nsrun_note_namespace(struct nsrun_inside *inside, int fd, bool is_user) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return;
    *inside = (struct nsrun_inside){.device = status.st_dev, .inode = status.st_ino, .is_user = is_user};
}

static bool is_named(const struct nsrun_inside *inside, const struct stat *status) {
    return status->st_dev == inside->device && status->st_ino == inside->inode;
}

/// Whether the user namespace at `path` lies below the one that is meant. `own` is this process's, which everybody else is in.
static bool lies_below(int proc, const char *path, const struct nsrun_inside *inside, const struct stat *own) {
    int fd = nsrun_result(openat(proc, path, O_RDONLY | O_CLOEXEC));
    bool is_below = false;
    for (int level = 0; fd >= 0 && level < MOST_LEVELS; level++) {
        struct stat status;
        const bool is_known = fstat(fd, &status) == 0;
        is_below = is_known && is_named(inside, &status);
        const bool goes_on =
            is_known && !is_below && (status.st_ino != own->st_ino || status.st_dev != own->st_dev);
        const int parent = goes_on ? nsrun_result(ioctl(fd, NS_GET_PARENT)) : -1;
        close(fd);
        fd = parent;
    }
    if (fd >= 0)
        close(fd);
    return is_below;
}

static bool is_member(int proc, pid_t pid, const struct nsrun_inside *inside, const struct stat *own) {
    char path[48];
    struct stat status;
    snprintf(path, sizeof path, "%d/ns/mnt", pid);
    if (fstatat(proc, path, &status, 0) != 0)   // it has ended, or is somebody else's
        return false;
    if (!inside->is_user)
        return is_named(inside, &status);
    snprintf(path, sizeof path, "%d/ns/user", pid);
    return fstatat(proc, path, &status, 0) == 0
           && (is_named(inside, &status)
               || ((status.st_ino != own->st_ino || status.st_dev != own->st_dev)
                   && lies_below(proc, path, inside, own)));
}

struct round {
    int proc;
    const struct nsrun_inside *inside;
    struct stat own;
    bool (*visit)(void *context, pid_t pid, int process);
    void *context;
};

static int visit_process(void *context, const struct nsrun_entry *entry) {
    const struct round *round = context;
    const pid_t pid = atoi(entry->name);
    if (pid <= 0)
        return 0;
    // First, so that the number is still its own when it has been looked at.
    const int process = nsrun_process_descriptor(pid);
    struct pollfd end = {.fd = process, .events = POLLIN};
    bool goes_on = true;
    if (is_member(round->proc, pid, round->inside, &round->own) && (process < 0 || poll(&end, 1, 0) == 0))
        goes_on = round->visit(round->context, pid, process < 0 ? -1 : process);
    if (process >= 0)
        close(process);
    return !goes_on;
}

int nsrun_each_member(int proc, const struct nsrun_inside *inside, bool (*visit)(void *context, pid_t pid, int process),
                      void *context) {
    struct round round = {.proc = proc, .inside = inside, .visit = visit, .context = context};
    if (inside->inode == 0)
        return 0;
    if (fstatat(proc, "self/ns/user", &round.own, 0) != 0)
        return -errno;
    const int error = nsrun_each_entry(proc, visit_process, &round);
    return error < 0 ? error : 0;
}

static bool stop_at_once(void *context, pid_t pid, int process) {
    (void)pid, (void)process;
    *(bool *)context = true;
    return false;
}

bool nsrun_has_members(int proc, const struct nsrun_inside *inside) {
    bool has = false;
    return nsrun_each_member(proc, inside, stop_at_once, &has) < 0 || has;
}

struct call {
    int signal;       ///< 0 for none
    unsigned count;   ///< of those that were there
};

static bool send_signal(void *context, pid_t pid, int process) {
    struct call *call = context;
    call->count++;
    if (call->signal == 0)
        return true;
    if (process >= 0)
        syscall(SYS_pidfd_send_signal, process, call->signal, NULL, 0);
    else
        kill(pid, call->signal);
    return true;
}

int nsrun_end_inside(const struct nsrun_inside *inside, int64_t patience) {
    const int proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    const int64_t begin = nsrun_now();
    struct call call = {.signal = SIGTERM};
    int error = proc < 0 ? proc : -EINPROGRESS;
    for (long pause = 1000 * 1000; error == -EINPROGRESS; pause = pause < 100 * 1000 * 1000 ? pause * 2 : pause) {
        call.count = 0;
        const int problem = nsrun_each_member(proc, inside, send_signal, &call);
        const int64_t time = nsrun_now() - begin;
        if (problem < 0) {
            error = problem;
        } else if (call.count == 0) {
            error = 0;
        } else if (call.signal == SIGKILL && time - patience > nsrun_patience) {
            error = -ETIMEDOUT;
        } else {
            const struct timespec moment = {.tv_nsec = pause};
            nanosleep(&moment, NULL);
            // Those that are made meanwhile as well.
            call.signal = time >= patience ? SIGKILL : 0;
        }
    }
    if (proc >= 0)
        close(proc);
    return error;
}

int nsrun_look_inside(pid_t pid, struct nsrun_inside *inside) {
    char path[48];
    struct stat own;
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    const int fd = nsrun_open(path, O_RDONLY);
    *inside = (struct nsrun_inside){0};
    if (fd < 0)
        return fd;
    nsrun_note_namespace(inside, fd, true);
    const int error = stat("/proc/self/ns/user", &own) != 0 ? -errno : is_named(inside, &own) ? -EPERM : 0;
    if (error < 0)
        close(fd);
    return error < 0 ? error : fd;
}

struct list {
    pid_t *pids;
    size_t room, count;
};

static bool note(void *context, pid_t pid, int process) {
    struct list *list = context;
    (void)process;
    if (list->count < list->room)
        list->pids[list->count] = pid;
    list->count++;
    return true;
}

size_t nsrun_list_members(const struct nsrun_card *card, pid_t *pids, size_t room) {
    struct list list = {.pids = pids, .room = room};
    const int proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    if (proc >= 0) {
        nsrun_each_member(proc, &card->inside, note, &list);
        close(proc);
    }
    return list.count;
}
