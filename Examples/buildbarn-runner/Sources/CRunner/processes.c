// Processes: this program once more, and the end of a child.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/runner.h"

pid_t runner_start_again(char *const argv[], int *link) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], 3);
    // SwiftNIO's are not close-on-exec.
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    // SwiftNIO has SIGPIPE ignored.
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    pid_t pid;
    char *const environment[] = {NULL};
    const int error = posix_spawn(&pid, "/proc/self/exe", &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return -error;
    }
    *link = ends[0];
    return pid;
}

int runner_await_end(pid_t pid, int link, struct rusage *usage) {
    long pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    struct pollfd fds[] = {{.fd = (int)pidfd, .events = POLLIN}, {.fd = link, .events = POLLIN}};
    int killed = 0;
    while (fds[0].revents == 0) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents != 0) {
            kill(pid, SIGKILL);
            fds[1].fd = -1;
            killed = 1;
        }
    }
    close((int)pidfd);
    // The raw call: that of the C library does not tell the resource usage.
    siginfo_t info;
    syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT | __WALL, usage);
    return killed;
}

const char *runner_signal_name(int number) { return sigabbrev_np(number); }

static char socket_path[4096];

static void remove_socket(int number) {
    unlink(socket_path);
    raise(number);   // by its default, which SA_RESETHAND has put back
}

int runner_remove_at_end(const char *socket) {
    if (strlen(socket) >= sizeof socket_path)
        return -ENAMETOOLONG;
    strcpy(socket_path, socket);
    const struct sigaction action = {.sa_handler = remove_socket,
                                     .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    for (int i = 0; i < 2; i++)
        if (sigaction(i == 0 ? SIGTERM : SIGINT, &action, NULL) != 0)
            return -errno;
    return 0;
}
