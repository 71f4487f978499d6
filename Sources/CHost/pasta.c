// SPDX-License-Identifier: Apache-2.0
//
// The process that connects a run's network to the host's: pasta(1) of passt, and a watcher that ends it with the
// run, however that came to its end. The watcher is nobody's child, for a launcher need not wait for children that it
// does not know; pasta is the watcher's, and ends with it.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

#include "detached.h"
#include "include/host.h"
#include "syscalls.h"

struct pasta {
    const char *program;
    char *const *argv;
    char *const *envp;
    int run;             ///< of the run's first process: readable when that has ended
    int ready, errors;   ///< pasta's output
};

/// Shares the watcher's memory until exec.
static int become_pasta(void *opaque) {
    const struct pasta *pasta = opaque;
    const uint64_t none = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    nsrun_sigprocmask(SIG_SETMASK, &none, NULL);
    execve(pasta->program, pasta->argv, pasta->envp);
    nsrun_say_not_started();
    _exit(127);
}

__attribute__((noreturn)) static void watch(const void *argument) {
    struct pasta pasta = *(const struct pasta *)argument;
    static char stack[16 * 1024] __attribute__((aligned(64)));
    if (nsrun_settle_beside(pasta.ready, pasta.errors, &pasta.run, 1) < 0)
        _exit(1);
    const pid_t pid = clone(become_pasta, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &pasta);
    // Pasta's own are the last: that they are closed tells of its end.
    close(1);
    close(2);
    struct pollfd ends[] = {{.fd = pasta.run, .events = POLLIN},
                            {.fd = pid < 0 ? -1 : nsrun_process_descriptor(pid), .events = POLLIN}};
    if (ends[1].fd < 0)
        _exit(1);
    while (poll(ends, 2, -1) <= 0) {
    }
    kill(pid, SIGKILL);
    nsrun_wait(pid, true, NULL, NULL);
    _exit(0);
}

int nsrun_start_pasta(const char *program, char *const argv[], char *const envp[], pid_t run, int *ready,
                      int *errors) {
    int pipes[2][2];
    struct pasta pasta = {.program = program, .argv = argv, .envp = envp};
    const int process = nsrun_process_descriptor(run);
    // Above the standard ones, which the caller may have closed.
    pasta.run = process < 0 ? process : nsrun_result(fcntl(process, F_DUPFD_CLOEXEC, 3));
    if (process >= 0)
        close(process);
    int error = pasta.run < 0 ? pasta.run : nsrun_pipe(pipes[0]);
    if (error == 0 && (error = nsrun_pipe(pipes[1])) < 0) {
        close(pipes[0][0]);
        close(pipes[0][1]);
    }
    if (error == 0) {
        pasta.ready = pipes[0][1];
        pasta.errors = pipes[1][1];
        error = nsrun_start_beside(watch, &pasta);
        for (int i = 0; i < 2; i++) {
            close(pipes[i][1]);
            if (error < 0)
                close(pipes[i][0]);
        }
    }
    if (pasta.run >= 0)
        close(pasta.run);
    if (error < 0)
        return error;
    *ready = pipes[0][0];
    *errors = pipes[1][0];
    return 0;
}
