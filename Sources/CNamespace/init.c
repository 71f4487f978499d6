// SPDX-License-Identifier: Apache-2.0
//
// How the first process of a run becomes its pid 1: it starts the command, and lets go of everything else.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "pidone.h"
#include "executor.h"

/// Without a pid namespace nothing else ends the command when its pid 1 is killed.
static void end_with_pid_one(const struct nsrun_world *w) {
    if (!(w->plan->clone_flags & CLONE_NEWPID))
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/// Runs the command's own steps, up to the stub.
static int command_main(void *argument) {
    struct nsrun_world *w = argument;
    end_with_pid_one(w);
    if (nsrun_walk(w, w->plan->command_start, w->plan->count) < 0)
        nsrun_send(w);
    _exit(127);
}

static bool is_kept(const struct nsrun_world *w, int fd) {
    for (size_t i = 0; i < w->kept_count; i++)
        if (w->plan->kept_fds[i] == fd)
            return true;
    return false;
}

/// Whether a step of the command's own process still needs the descriptor.
static bool is_needed(const struct nsrun_world *w, int fd) {
    if (fd <= 2 || fd == w->channel || fd == w->life || fd == w->stub || fd == w->stub_to_start || is_kept(w, fd))
        return true;
    for (size_t i = w->plan->command_start; i < w->plan->count; i++)
        if (w->plan->steps[i].fd == fd)
            return true;
    return false;
}

static void close_if_private(void *world, int fd) {
    if (!is_needed(world, fd) && (fcntl(fd, F_GETFD) & FD_CLOEXEC))
        close(fd);
}

/// What was opened during set-up goes before the command starts, and so does what the command is not to have. The
/// rest follows when it has started; until then nobody can look into /proc/1/fd but where pid 1 is to be seen:
/// there what the launching program has to itself, close-on-exec, goes here as well.
static void close_private(struct nsrun_world *w) {
    for (const int *fd = w->plan->close_fds; *fd >= 0; fd++)
        if (!is_needed(w, *fd))
            close(*fd);
    if (w->plan->flags & NSRUN_READABLE_INIT)
        nsrun_each_descriptor(w->proc, close_if_private, w);
    nsrun_let_go(w);
}

static void fail_to_start(struct nsrun_world *w, int error) {
    w->report->head = (struct nsrun_report_head){
        .kind = NSRUN_REPORT_FAILED,
        .step = (int32_t)w->plan->command_start,
        .error = error,
        .call = NSRUN_CALL_FORK,
    };
    nsrun_send(w);
    _exit(125);
}

/// Starts the command on this process's memory, which waits until the stub is started.
static pid_t start_command(struct nsrun_world *w) {
    // Only one launch runs in this process, which is a copy of the launcher's.
    static char stack[64 * 1024] __attribute__((aligned(64)));
    const pid_t command = clone(command_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, w);
    if (command < 0)
        fail_to_start(w, errno);
    if (w->report->head.kind == NSRUN_REPORT_FAILED)   // told by the command itself
        _exit(125);
    return command;
}

/// Starts the command in a copy, which waits until this process, as the stub, has its filters: from then on it can be
/// looked into. `*its_turn` is where it waits for a byte.
static pid_t start_command_later(struct nsrun_world *w, int *its_turn) {
    int turn[2];
    const int error = nsrun_pipe(turn);
    if (error < 0)
        fail_to_start(w, -error);
    const long command = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (command < 0)
        fail_to_start(w, errno);
    if (command > 0) {
        close(turn[0]);
        *its_turn = turn[1];
        return (pid_t)command;
    }
    close(turn[1]);
    end_with_pid_one(w);
    if (nsrun_await(turn[0]) != 1)   // it has failed
        _exit(127);
    close(turn[0]);
    command_main(w);
    _exit(127);
}

/// What the command closes is closed: pid 1 holds on to nothing of the caller's.
static void close_all_but_own(struct nsrun_world *w, const struct nsrun_pid_one *one) {
    int *const kept = w->plan->kept_fds;
    size_t count = w->kept_count;
    for (int fd = 0; fd <= 2; fd++)
        if (!is_kept(w, fd))
            close(fd);
    kept[count++] = one->channel;
    kept[count++] = one->signals;
    if (one->life >= 0)
        kept[count++] = one->life;
    if (one->ready >= 0)
        kept[count++] = one->ready;
    nsrun_close_others(kept, count);
}

void nsrun_init(struct nsrun_world *w) {
    const unsigned flags = w->plan->flags;
    const bool is_readable = flags & NSRUN_READABLE_INIT;
    static struct nsrun_pid_one one;
    nsrun_heed_children();   // a program that launches may ignore them
    close_private(w);
    int ready[2] = {-1, -1};
    if ((flags & NSRUN_ANNOUNCE) && !(flags & NSRUN_QUIET_INIT) && nsrun_pipe(ready) < 0)
        fail_to_start(w, EMFILE);
    w->ready = ready[1];
    // Pid 1 is a copy of the launcher, whose memory the command must not see, and what pid 1 tells the launcher
    // must not be the command's to tell.
    const int error = is_readable ? 0 : nsrun_hide();
    if (error < 0)
        fail_to_start(w, -error);
    one.turn = -1;
    one.command = is_readable ? start_command_later(w, &one.turn) : start_command(w);
    one.channel = w->channel;
    one.ready = ready[0];
    one.is_answered = flags & NSRUN_ANSWERED;
    one.life = w->life;
    one.lingers = flags & NSRUN_LINGER;
    one.follows = flags & NSRUN_FOLLOW;
    one.own_group = flags & NSRUN_OWN_GROUP;
    one.is_quiet = flags & NSRUN_QUIET_INIT;
    one.early = w->early;
    one.due = w->plan->due;
    one.kill_after = w->plan->kill_after;
    one.signals = nsrun_signal_descriptor();
    if (one.signals < 0)
        fail_to_start(w, -one.signals);
    if (is_readable)
        fail_to_start(w, -nsrun_continue_by_stub(w, &one));
    close_all_but_own(w, &one);
    nsrun_be_pid_one(&one);
}
