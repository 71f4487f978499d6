// SPDX-License-Identifier: Apache-2.0
//
// The launcher stops with its command, so that the caller's shell sees a job that has stopped.

#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "include/host.h"
#include "syscalls.h"

/// A child that has the caller wake up, and again until it is ended, when the job is let go on: of those who let go on nobody
/// does it twice, and a SIGCONT that comes just before SIGSTOP is taken back by that (signal(7)).
static pid_t start_waker(void) {
    const pid_t stopped = getpid();
    const pid_t waker = fork();
    if (waker != 0)
        return waker;
    const uint64_t wanted = 1ull << (SIGCONT - 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (siginfo_t info; getppid() == stopped;) {
        // All signals are blocked here, so that one which has come already counts.
        while (syscall(SYS_rt_sigtimedwait, &wanted, &info, NULL, sizeof wanted) < 0) {}
        for (; getppid() == stopped; nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL))
            kill(stopped, SIGCONT);
    }
    _exit(0);
}

int nsrun_stop_self(int64_t nanoseconds) {
    // Nothing but SIGCONT goes on with a stopped process, and there is no pause between a limit of 0 and no limit. It comes
    // again, for the same reason.
    const struct itimerspec end = {.it_value = {.tv_sec = nanoseconds / 1000000000,
                                                .tv_nsec = nanoseconds % 1000000000 + 1},
                                   .it_interval = {.tv_nsec = 1000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    timer_t timer;
    const bool limited = nanoseconds >= 0;
    if (limited && timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return -errno;
    int error = limited && timer_settime(timer, 0, &end, NULL) != 0 ? -errno : 0;
    const pid_t waker = start_waker();
    sigset_t come;
    // What has come before there was a waker.
    if (error == 0 && (sigpending(&come) != 0 || !sigismember(&come, SIGCONT)))
        error = kill(getpid(), SIGSTOP) == 0 ? 0 : -errno;
    if (waker > 0) {
        kill(waker, SIGKILL);
        waitpid(waker, NULL, __WALL);
    }
    if (limited)
        timer_delete(timer);
    return error;
}
