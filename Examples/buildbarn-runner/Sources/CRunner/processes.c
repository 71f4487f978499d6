// SPDX-License-Identifier: Apache-2.0
//
// Processes and signals.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "include/runner.h"

pid_t runner_start_again(char *const argv[], int *link) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], 3);
    // SwiftNIO's are not close-on-exec, and a connection lasts until nobody has it open.
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    pid_t pid;
    char *const environment[] = {NULL};
    const int error = posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return -error;
    }
    *link = ends[0];
    return pid;
}

const char *runner_signal_name(int number) { return sigabbrev_np(number); }
