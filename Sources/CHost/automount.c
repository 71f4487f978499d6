// SPDX-License-Identifier: Apache-2.0
//
// What an automounter has not mounted yet, see autofs(5).

#define _GNU_SOURCE
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "include/host.h"
#include "syscalls.h"

/// Somebody may have to wait for a server that does not answer, without an end: not this process.
static int look_inside(const char *path, int64_t patience) {
    int ends[2];
    int error = nsrun_pipe(ends);
    if (error < 0)
        return error;
    // Without SIGCHLD: a program that launches runs is not told of a child that it does not know.
    const long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) {
        close(ends[0]);
        _exit(nsrun_open(path, O_RDONLY | O_DIRECTORY) < 0 ? errno : 0);
    }
    close(ends[1]);
    error = pid < 0 ? -errno : nsrun_poll3(ends[0], -1, -1, patience);
    close(ends[0]);
    if (pid < 0)
        return error;
    if (error == 0)
        kill((pid_t)pid, SIGKILL);
    int status = 0;
    const int waited = nsrun_wait((pid_t)pid, true, &status, NULL);
    if (error <= 0)
        return error < 0 ? error : -ETIMEDOUT;
    return waited < 0 ? waited : -WEXITSTATUS(status);
}

int nsrun_have_mounted(const char *path, int64_t patience) {
    // Does not bring the mount by itself.
    const int place = nsrun_open(path, O_PATH);
    if (place < 0)
        return 0;   // whoever wants it will tell
    struct statfs status;
    const bool waits = fstatfs(place, &status) == 0 && status.f_type == AUTOFS_SUPER_MAGIC;
    const int error = waits ? look_inside(path, patience) : 0;
    close(place);
    return error == -ETIMEDOUT ? error : 0;
}
