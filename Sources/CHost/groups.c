// SPDX-License-Identifier: Apache-2.0
//
// A control group for a run with limits, and who removes it: a process beside the run, for nsrun may be killed, and the
// kernel removes none by itself. It is in the launcher's own group, where the limits do not reach it. Should it be killed as
// well, the next launch that has a group beside this one removes it.

#define _GNU_SOURCE
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "detached.h"
#include "include/groups.h"
#include "include/host.h"
#include "syscalls.h"

int nsrun_make_group(const char *path) {
    if (mkdir(path, 0755) != 0)
        return -errno;
    const int group = nsrun_above_standard(nsrun_open(path, O_RDONLY | O_DIRECTORY));
    struct stat own, there;
    // Somebody may have taken it for one that is left over.
    if (group >= 0 && (flock(group, LOCK_SH | LOCK_NB) != 0 || fstat(group, &own) != 0 || stat(path, &there) != 0
                       || own.st_ino != there.st_ino)) {
        close(group);
        return -EEXIST;
    }
    return group == -ENOENT ? -EEXIST : group;
}

static int find_group(void *name, const struct nsrun_entry *entry) {
    if (entry->type != 4 /* DT_DIR */ || strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        return 0;
    strcpy(name, entry->name);
    return 1;
}

/// Removes a group that has none below it. 0 or a negative errno, -EBUSY where there are only processes.
static int remove_innermost(int group) {
    char name[NAME_MAX + 1], below[NAME_MAX + 1];
    int found = nsrun_each_entry(group, find_group, name);
    if (found != 1)
        return found < 0 ? found : -EBUSY;
    int holder = group, inner;
    while ((inner = nsrun_result(openat(holder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW))) >= 0
           && (found = nsrun_each_entry(inner, find_group, below)) == 1) {
        if (holder != group)
            close(holder);
        holder = inner;
        strcpy(name, below);
    }
    const int error = inner < 0 ? inner : found < 0 ? found : nsrun_result(unlinkat(holder, name, AT_REMOVEDIR));
    if (inner >= 0)
        close(inner);
    if (holder != group)
        close(holder);
    return error;
}

/// Whoever was in it may have divided it. Nothing is allocated and no stack to speak of is used, for the process beside a
/// program is a copy of it.
int nsrun_remove_group(const char *path) {
    int error;
    while ((error = nsrun_result(rmdir(path))) == -EBUSY) {
        const int group = nsrun_open(path, O_RDONLY | O_DIRECTORY);
        error = group < 0 ? group : remove_innermost(group);
        if (group >= 0)
            close(group);
        if (error < 0 && error != -ENOENT)   // somebody else may remove them, too
            break;
    }
    return error;
}

void nsrun_sweep_group(const char *path) {
    const int group = nsrun_open(path, O_RDONLY | O_DIRECTORY);
    if (group < 0)
        return;
    if (flock(group, LOCK_EX | LOCK_NB) == 0)
        nsrun_remove_group(path);
    close(group);
}

int nsrun_write_group(int group, const char *name, const char *text, size_t length) {
    const int file = nsrun_result(openat(group, name, O_WRONLY | O_CLOEXEC));
    if (file < 0)
        return file;
    const ssize_t count = write(file, text, length);
    const int error = count < 0 ? -errno : (size_t)count == length ? 0 : -EIO;
    close(file);
    return error;
}

ssize_t nsrun_read_group(int group, const char *name, char *text, size_t capacity) {
    const int file = nsrun_result(openat(group, name, O_RDONLY | O_CLOEXEC));
    if (file < 0)
        return file;
    const ssize_t length = nsrun_read_all(file, text, capacity);
    close(file);
    return length;
}

// MARK: Who removes it

struct keeping {
    const char *path;
    int group, socket, errors;
};

__attribute__((noreturn)) static void keep(const void *argument) {
    const struct keeping *keeping = argument;
    const int kept[] = {keeping->group, keeping->socket};
    if (nsrun_settle_beside(-1, keeping->errors, kept, 2) < 0)
        _exit(1);
    prctl(PR_SET_NAME, "nsrun-limit", 0, 0, 0);
    // No run can look into it, not even one that sees the host's processes.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        _exit(1);
    // The group is the launcher's as long as it has its end.
    while (nsrun_await(keeping->socket) > 0) {}
    const int events = openat(keeping->group, "cgroup.events", O_RDONLY | O_CLOEXEC);
    while (nsrun_remove_group(keeping->path) == -EBUSY) {
        // What has been read is what a change is told from.
        char text[256];
        if (pread(events, text, sizeof text, 0) <= 0)
            break;
        struct pollfd change = {.fd = events, .events = POLLPRI};
        // A process that is on its way out counts no more, and is still in the way.
        poll(&change, 1, memmem(text, sizeof text, "populated 0", 11) != NULL ? 10 : -1);
    }
    _exit(0);
}

int nsrun_keep_group(const char *path, int group, int *socket) {
    int pair[2];
    int error = nsrun_socket_pair(pair);
    if (error < 0)
        return error;
    const int errors = nsrun_above_standard(nsrun_open("/dev/null", O_WRONLY));
    const struct keeping keeping = {.path = path, .group = group, .socket = pair[1], .errors = errors};
    error = errors < 0 ? errors : nsrun_start_beside(keep, &keeping);
    close(pair[1]);
    if (errors >= 0)
        close(errors);
    if (error < 0) {
        close(pair[0]);
        return error;
    }
    *socket = pair[0];
    return 0;
}

void nsrun_let_group_go(int socket) { shutdown(socket, SHUT_WR); }
