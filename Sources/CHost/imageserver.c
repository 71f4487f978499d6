// SPDX-License-Identifier: Apache-2.0
//
// The process that serves a squashfs to a run through FUSE: squashfuse_ll(1), started by the launcher before
// the run's namespaces exist.
//
// It lives outside of them: the command neither sees it in its pid namespace nor, and that is the point, is the
// run's mount namespace held by it. So the kernel takes the file system down with the last process of the run,
// reading from the device fails, and the server ends, however the run came to its end. It is nobody's child,
// for in place the launcher becomes the command, which must not find a child that it did not start.
//
// The image may be hostile. The server keeps no descriptor of the caller's, and a filter lets it write no file, reach no
// process and open no socket: with less it does not start. Where the kernel has Landlock that is a second wall.

#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "detached.h"
#include "landlock.h"
#include "include/host.h"
#include "passing.h"
#include "syscalls.h"

/// Where the server finds its descriptors; `argv` names them.
enum { DEVICE = 3, IMAGE = 4 };

struct server {
    const char *program;
    char *const *argv;
    char *const *envp;
    int image, socket, errors;
    struct sock_fprog filter;
};

/// Everything that changes something (landlock(7)), where the kernel can.
static int forbid_writing(void) {
    const int version = nsrun_landlock_version();
    if (version < 1)
        return 0;
    struct nsrun_landlock forbidden = nsrun_landlock_others(version);
    forbidden.files = NSRUN_LANDLOCK_WRITE_FILE | NSRUN_LANDLOCK_REMOVE_AND_MAKE | nsrun_landlock_newer_changes(version);
    const int error = nsrun_landlock_restrict(nsrun_landlock_rules(&forbidden));
    return error == -E2BIG ? 0 : error;
}

__attribute__((noreturn)) static void serve(const void *argument) {
    const struct server *server = argument;
    const int keep[] = {server->image, server->socket};
    if (nsrun_settle_beside(-1, server->errors, keep, 2) < 0)
        _exit(1);
    // The device, which the run's set-up opens and sends, if it comes to that.
    char greeting;
    int device = -1;
    unsigned count = 1;
    nsrun_receive_descriptors(server->socket, &greeting, sizeof greeting, &device, &count);
    if (device < 0)
        _exit(0);
    // All of them are above 2. First out of each other's way, then to their numbers.
    const int from[] = {fcntl(device, F_DUPFD, 10), fcntl(server->image, F_DUPFD, 10)};
    if (dup2(from[0], DEVICE) < 0 || dup2(from[1], IMAGE) < 0)
        _exit(1);
    nsrun_close_range(5, ~0u, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && forbid_writing() == 0
        && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &server->filter, 0, 0) == 0)
        execve(server->program, server->argv, server->envp);
    nsrun_say_not_started();
    _exit(127);
}

int nsrun_start_image_server(const char *program, char *const argv[], char *const envp[], int image,
                             int *socket, int *errors) {
    int pair[2], words[2];
    struct sock_filter filter[1024];
    const ssize_t size = nsrun_make_filter(NSRUN_FILTER_SERVER, (char *)filter, sizeof filter);
    if (size < 0)
        return (int)size;
    int error = nsrun_socket_pair(pair);
    if (error < 0)
        return error;
    error = nsrun_pipe(words);
    if (error < 0) {
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    struct server server = {.program = program, .argv = argv, .envp = envp, .image = image,
                            .socket = pair[1], .errors = words[1],
                            .filter = {.len = (unsigned short)((size_t)size / sizeof(struct sock_filter)),
                                       .filter = filter}};
    // Signals stay blocked for the server: KILL ends it, and the end of the run.
    error = nsrun_start_beside(serve, &server);
    close(pair[1]);
    close(words[1]);
    if (error < 0) {
        close(pair[0]);
        close(words[0]);
        return error;
    }
    *socket = pair[0];
    *errors = words[0];
    return 0;
}
