// SPDX-License-Identifier: Apache-2.0
//
// Small calls that the executor and the launcher both make: errno stays on this side.

#define _GNU_SOURCE
#include "include/io.h"

#include <stdio.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "syscalls.h"

ssize_t nsrun_read_all(int fd, char *buffer, size_t capacity) {
    size_t length = 0;
    while (length < capacity) {
        ssize_t count = read(fd, buffer + length, capacity - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        length += (size_t)count;
    }
    return (ssize_t)length;
}

int nsrun_write_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t count = write(fd, data, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        data += count;
        length -= (size_t)count;
    }
    return 0;
}

static int move_up(int fds[2]) {
    for (int i = 0; i < 2; i++) {
        fds[i] = nsrun_above_standard(fds[i]);
        if (fds[i] < 0)
            return fds[i];
    }
    return 0;
}

int nsrun_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC) == 0 ? move_up(fds) : -errno; }

int nsrun_socket_pair(int fds[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? move_up(fds) : -errno;
}

int nsrun_wait(pid_t pid, bool block, int *status, struct rusage *usage) {
    pid_t result;
    do {
        result = wait4(pid, status, block ? __WALL : WNOHANG | __WALL, usage);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result == 0 ? -EAGAIN : 0;
}

int nsrun_process_descriptor(pid_t pid) {
    return nsrun_result(syscall(SYS_pidfd_open, pid, 0));
}

int nsrun_signal_descriptor(void) {
    // A C library's set leaves out those that it keeps for itself, 32 to 34, which are signals like others to the command.
    const uint64_t all = ~0ull;
    return nsrun_result((int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK));
}

void nsrun_heed_children(void) {
    const struct nsrun_sigaction by_default = {.handler = SIG_DFL};
    nsrun_set_signal(SIGCHLD, &by_default);
}

int64_t nsrun_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void nsrun_fd_path(int fd, char path[32]) { snprintf(path, 32, "/proc/self/fd/%d", fd); }

ssize_t nsrun_locate_descriptor(int fd, char *path, size_t size) {
    char link[32];
    nsrun_fd_path(fd, link);
    const ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return -errno;
    path[length] = 0;
    return length;
}

int nsrun_make_filesystem(const char *type, const char *const *options, unsigned attributes) {
    int context = nsrun_fsopen(type);
    if (context < 0)
        return context;
    int error = 0;
    for (; *options != NULL && error == 0; options += 2)
        error = options[1] == NULL
                    ? nsrun_fsconfig(context, FSCONFIG_SET_FLAG, options[0], NULL)
                    : nsrun_fsconfig(context, FSCONFIG_SET_STRING, options[0], options[1]);
    if (error == 0)
        error = nsrun_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL);
    if (error == 0)
        error = nsrun_fsmount(context, attributes);
    close(context);
    return error;
}

int nsrun_await(int fd) {
    char byte;
    ssize_t count;
    do {
        count = read(fd, &byte, 1);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : (int)count;
}

int nsrun_each_entry(int directory, int (*visit)(void *context, const struct nsrun_entry *entry), void *context) {
    char buffer[8192] __attribute__((aligned(8)));
    const int list = nsrun_result(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (list < 0)
        return list;
    int answer = 0;
    while (answer == 0) {
        const long count = syscall(SYS_getdents64, list, buffer, sizeof buffer);
        if (count <= 0) {
            answer = count < 0 ? -errno : 0;
            break;
        }
        for (long at = 0; at < count && answer == 0;) {
            const struct nsrun_entry *entry = (const void *)(buffer + at);
            at += entry->size;
            answer = visit(context, entry);
        }
    }
    close(list);
    return answer;
}

int nsrun_lock_layer(const char *path, bool shared) {
    const int fd = nsrun_above_standard(nsrun_open(path, O_RDONLY | O_DIRECTORY));
    if (fd < 0)
        return nsrun_is_out_of_reach(fd) ? -ENOLCK : fd;
    int error;
    do {
        error = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ? 0 : -errno;
    } while (error == -EINTR);
    if (error == 0)
        return fd;
    close(fd);
    return error == -EWOULDBLOCK || error == -ENOMEM ? error : -ENOLCK;
}
