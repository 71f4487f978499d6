// SPDX-License-Identifier: Apache-2.0
//
// Paths below a directory that somebody else may be changing.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/runner.h"

int runner_open(int directory, const char *path, enum runner_kind kind, bool as_root) {
    static const int flags[] = {
        [RUNNER_ANYTHING] = O_PATH | O_NOFOLLOW,
        [RUNNER_DIRECTORY] = O_PATH | O_DIRECTORY,
        [RUNNER_NEW_FILE] = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOCTTY,
    };
    struct open_how how = {
        .flags = (unsigned)flags[kind] | O_CLOEXEC,
        .mode = kind == RUNNER_NEW_FILE ? 0666 : 0,
        .resolve = RESOLVE_NO_MAGICLINKS | (as_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
    };
    // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether `..` still stays below.
    for (int attempts = 0;; attempts++) {
        long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if ((errno != EAGAIN && errno != EINTR) || attempts == 100)
            return -errno;
    }
}

int runner_open_host(const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
