// SPDX-License-Identifier: Apache-2.0
//
// Namespaces below the run's first ones: how many there may be, and those that the command itself is in.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "executor.h"

/// What a command and its like use up counts against their user, so that he could make no more of them himself. The
/// limit is that of the user namespace this process is in, which takes its capabilities to raise.
int nsrun_limit_namespaces(struct nsrun_world *w, const struct nsrun_step *step) {
    static const char *const names[] = {
        "max_user_namespaces", "max_mnt_namespaces", "max_pid_namespaces",    "max_net_namespaces",
        "max_ipc_namespaces",  "max_uts_namespaces", "max_cgroup_namespaces", "max_time_namespaces",
    };
    if (nsrun_open_proc(w) < 0)
        return w->proc;
    const int folder = nsrun_result(openat(w->proc, "sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC));
    int error = folder < 0 ? folder : 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && error == 0; i++) {
        const int file = nsrun_result(openat(folder, names[i], O_WRONLY | O_CLOEXEC));
        if (file == -ENOENT)
            continue;   // the kernel has no such namespaces
        error = file < 0 ? file : nsrun_write_all(file, step->data, strlen(step->data));
        if (file >= 0)
            close(file);
    }
    if (folder >= 0)
        close(folder);
    // In a container the settings may be read-only or missing. This one keeps nobody from the host.
    if (error == -EROFS || error == -EACCES || error == -ENOENT || error == -EPERM) {
        w->passed_over = -error;
        error = 0;
    }
    return error;
}

static int write_map(const struct nsrun_world *w, const char *pid, const char *name, const char *map) {
    char path[64];
    if (strlen(pid) + strlen(name) + 2 > sizeof path)
        return -ENAMETOOLONG;
    strcpy(path, pid);
    strcat(path, "/");
    strcat(path, name);
    const int file = nsrun_result(openat(w->proc, path, O_WRONLY | O_CLOEXEC));
    if (file < 0)
        return file;
    const ssize_t count = write(file, map, strlen(map));   // takes exactly one
    const int error = count < 0 ? -errno : (size_t)count == strlen(map) ? 0 : -EIO;
    close(file);
    return error;
}

/// More than one id can be mapped only from outside, by who has the capabilities for it there: a copy of this process,
/// which stays behind. Its exit status is an errno.
static pid_t start_mapper(const struct nsrun_world *w, const struct nsrun_step *step, int *turn) {
    char pid[24] = "";
    int ends[2];
    // The number that the host's proc has for it.
    const ssize_t length = readlinkat(w->proc, "self", pid, sizeof pid - 1);
    int error = length < 0 ? -errno : nsrun_pipe(ends);
    if (error < 0)
        return error;
    const long mapper = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (mapper == 0) {
        close(ends[1]);
        if (nsrun_await(ends[0]) != 1)
            _exit(EPIPE);
        error = write_map(w, pid, "gid_map", step->data);
        if (error == 0)
            error = write_map(w, pid, "uid_map", step->source);
        _exit(-error);
    }
    error = mapper < 0 ? -errno : 0;
    close(ends[0]);
    if (error < 0)
        close(ends[1]);
    *turn = ends[1];
    return error < 0 ? error : (pid_t)mapper;
}

int nsrun_nest(struct nsrun_world *w, const struct nsrun_step *step) {
    if (nsrun_open_proc(w) < 0)
        return w->proc;
    int turn = -1;
    const pid_t mapper = start_mapper(w, step, &turn);
    if (mapper < 0)
        return mapper;
    int error = nsrun_unshare_kinds(w, step->value);
    if (error == 0)
        error = nsrun_write_all(turn, "+", 1);
    close(turn);
    int status = 0;
    const int waited = nsrun_wait(mapper, true, &status, NULL);
    if (error == 0)
        error = waited < 0 ? waited : status == 0 ? 0 : WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
    return error;
}
