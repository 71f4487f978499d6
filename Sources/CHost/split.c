// SPDX-License-Identifier: Apache-2.0
//
// A program that stays when its caller goes on.

#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/host.h"
#include "syscalls.h"

int nsrun_open_log(const char *path, bool own, bool anew) {
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | (own ? O_NOFOLLOW : 0) | (anew ? O_TRUNC : 0);
    return nsrun_above_standard(nsrun_result(open(path, flags, own ? 0600 : 0666)));
}

pid_t nsrun_split(int log, int errors, int *channel) {
    int ends[2];
    const int error = nsrun_pipe(ends);
    if (error < 0)
        return error;
    const pid_t pid = fork();
    if (pid != 0) {
        close(ends[1]);
        *channel = ends[0];
        if (pid < 0) {
            const int code = -errno;
            close(ends[0]);
            return code;
        }
        return pid;
    }
    close(ends[0]);
    setsid();
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(errors, 2) < 0)
        _exit(125);
    if (null > 2)
        close(null);
    *channel = ends[1];
    return 0;
}
