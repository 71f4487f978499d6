// SPDX-License-Identifier: Apache-2.0
//
// See detached.h. Nothing is allocated, for it is done between clone and exec as well.

#define _GNU_SOURCE
#include "detached.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "include/io.h"
#include "syscalls.h"

struct beside {
    void (*run)(const void *argument);
    const void *argument;
};

/// Runs on the caller's memory, which waits; what it starts has a copy.
static int start(void *opaque) {
    const struct beside *beside = opaque;
    const long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) {
        beside->run(beside->argument);
        _exit(0);
    }
    _exit(pid < 0 ? errno : 0);   // a small number
}

int nsrun_start_beside(void (*run)(const void *argument), const void *argument) {
    char stack[16 * 1024] __attribute__((aligned(64)));
    struct beside beside = {.run = run, .argument = argument};
    const uint64_t all = ~0ull;
    uint64_t previous;
    nsrun_sigprocmask(SIG_SETMASK, &all, &previous);
    // Without SIGCHLD: a program that launches runs is not told of a child that it does not know.
    const pid_t pid = clone(start, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &beside);
    int status = 0, error = pid < 0 ? -errno : nsrun_wait(pid, true, &status, NULL);
    nsrun_sigprocmask(SIG_SETMASK, &previous, NULL);
    return error < 0 ? error : -WEXITSTATUS(status);
}

int nsrun_settle_beside(int output, int errors, const int *keep, size_t count) {
    // What is sent to the terminal's or the job's processes is for the command, which still needs this one while it
    // deals with it.
    setsid();
    const int null = open("/dev/null", O_RDWR);
    if (chdir("/") != 0 || null < 0 || dup2(null, 0) < 0 || dup2(output < 0 ? null : output, 1) < 0
        || dup2(errors, 2) < 0)
        return -errno;
    nsrun_close_others(keep, count);
    return 0;
}

void nsrun_say_not_started(void) {
    static const char failed[] = "it cannot be started\n";
    nsrun_write_all(2, failed, sizeof failed - 1);
}
