// SPDX-License-Identifier: Apache-2.0
//
// Pid 1 of a run: reaps whatever ends, hands signals on to the command, and ends when the command does, which makes
// the kernel kill everything else in the namespace.
//
// It goes on as what it was, a copy of the launcher that nobody can look into, or, where the caller wants to look at
// it, as the stub: so all of this is code that stands for itself, see stub.h.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "include/nsrun.h"
#include "pidone.h"

enum {
    /// In nanoseconds. A copy handed on within this time of a direct one is the same signal. Generous, for on a busy
    /// machine the launcher may be late, and a late SIGCONT would undo the next stop.
    SAME_SIGNAL = 5,   // seconds
    /// Within this time every copy is, as more than one direct signal may have become one.
    SAME_SIGNALS = 200 * 1000 * 1000,
    /// How long the sender's loop over the group may take, when the launcher was quicker.
    MOMENT = 10 * 1000 * 1000,
    SECOND = 1000 * 1000 * 1000,
    /// Waits in a row that may fail, a thousandth of a second apart.
    MOST_FAULTS = 1000,
};

NSRUN_STUB_INLINE __attribute__((noreturn)) void leave(int status) {
    for (;;)
        nsrun_stub_call(SYS_exit_group, status, 0, 0, 0, 0);
}

NSRUN_STUB_INLINE int64_t now(void) {
    struct timespec time;
    nsrun_stub_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0, 0);
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

NSRUN_STUB_INLINE long wait_for(struct pollfd *states, long count, const struct timespec *limit) {
    return nsrun_stub_call(SYS_ppoll, (long)states, count, (long)limit, 0, 0);
}

/// A record's head, and room for the only text that pid 1 sends.
struct told {
    struct nsrun_report_head head;
    struct rusage usage;
};

NSRUN_STUB_INLINE void tell(const struct nsrun_pid_one *one, struct told *told, long size) {
    long sent;
    do {
        // All signals are blocked, SIGPIPE among them.
        sent = one->is_quiet
                   ? nsrun_stub_call(SYS_write, one->channel, (long)told, size, 0, 0)
                   : nsrun_stub_call(SYS_sendto, one->channel, (long)told, size, MSG_NOSIGNAL, 0);
    } while (sent == -EINTR || sent == -ENOMEM || sent == -ENOBUFS);
}

/// For what a launcher that does not read before the end need not know: what is not read keeps room for the end itself,
/// for the channel counts as writable as long as three quarters of it are free.
NSRUN_STUB static void mention(const struct nsrun_pid_one *one, uint32_t kind, int value, uint32_t call, int error) {
    struct told told;
    told.head.kind = kind;
    told.head.step = 0;
    told.head.error = error;
    told.head.call = call;
    told.head.value = value;
    told.head.length = 0;
    if (one->is_quiet) {
        tell(one, &told, sizeof told.head);
        return;
    }
    struct pollfd channel;
    channel.fd = one->channel;
    channel.events = POLLOUT;
    channel.revents = 0;
    struct timespec at_once;
    at_once.tv_sec = 0;
    at_once.tv_nsec = 0;
    if (wait_for(&channel, 1, &at_once) == 1 && (channel.revents & POLLOUT))
        nsrun_stub_call(SYS_sendto, one->channel, (long)&told, sizeof told.head, MSG_NOSIGNAL | MSG_DONTWAIT, 0);
}

NSRUN_STUB static void end(struct nsrun_pid_one *one, int status, struct told *told) {
    // Whether anything lingers: the launcher waits for pid 1 where that is over at once.
    long others;
    do {
        others = nsrun_stub_call(SYS_wait4, -1, 0, WNOHANG | __WALL, 0, 0);
    } while (others > 0 || others == -EINTR);
    told->head.kind = NSRUN_REPORT_ENDED;
    told->head.step = 0;
    told->head.error = one->timed_out ? ETIMEDOUT : 0;
    told->head.call = others == -ECHILD;
    told->head.value = status;
    told->head.length = sizeof told->usage;
    tell(one, told, sizeof *told);
    one->ended = true;
    one->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (!one->lingers)
        leave(one->exit_status);
    // The launcher need not wait for the others.
    if (!one->is_quiet)
        nsrun_stub_call(SYS_close, one->channel, 0, 0, 0, 0);
    one->channel = -1;
}

/// Takes what has ended or stopped; `options` of wait4(2): to return with what there is, or else never.
NSRUN_STUB static void reap(struct nsrun_pid_one *one, int options) {
    for (;;) {
        int status;
        struct told told;
        for (unsigned long i = 0; i < sizeof told.usage / sizeof(long); i++)
            ((long *)(void *)&told.usage)[i] = 0;
        const long pid = nsrun_stub_call(SYS_wait4, -1, (long)&status, options | WUNTRACED | __WALL,
                                         (long)&told.usage, 0);
        if (pid == -EINTR)
            continue;
        // The launcher may look at this before it has read what was told.
        if (pid == -ECHILD && one->ended)
            leave(one->exit_status);
        if (pid < 0) {   // a filter forbids it, or there are no children, whatever became of the command
            mention(one, NSRUN_REPORT_FAILED, 0, NSRUN_CALL_WAIT, (int)-pid);
            leave(125);
        }
        if (pid == 0)
            return;
        if (pid != one->command)
            continue;
        if (WIFSTOPPED(status))
            mention(one, NSRUN_REPORT_STOPPED, WSTOPSIG(status), 0, (int)one->continued);
        else
            end(one, status, &told);
    }
}

/// Reads what has come: of the group's signals, or of a terminal's.
NSRUN_STUB static void take_signals(struct nsrun_pid_one *one) {
    struct signalfd_siginfo infos[4];
    for (;;) {
        const long size = nsrun_stub_call(SYS_read, one->signals, (long)infos, sizeof infos, 0, 0);
        for (long i = 0; i < size / (long)sizeof *infos; i++) {
            const uint32_t number = infos[i].ssi_signo;
            // A queued one is for this process alone.
            if (number == SIGCHLD || number > 64 || infos[i].ssi_code == SI_QUEUE)
                continue;
            // The command has its own copy. The launcher's group, where it is another one, has none.
            one->direct[number] = now();
            if (one->own_group && infos[i].ssi_code == SI_KERNEL && !one->ended)
                mention(one, NSRUN_REPORT_SIGNALLED, (int)number, 0, 0);
        }
        if (size != sizeof infos)
            return;
    }
}

/// Whether a signal that the launcher hands on has reached the command as one of the launcher's group.
NSRUN_STUB static bool has_come(struct nsrun_pid_one *one, uint32_t number) {
    const int64_t direct = one->direct[number];
    const int64_t age = now() - direct;
    if (direct != 0 && age < SAME_SIGNALS)
        return true;
    one->direct[number] = 0;
    if (direct != 0 && age < (int64_t)SAME_SIGNAL * SECOND)
        return true;
    struct pollfd state;
    state.fd = one->signals;
    state.events = POLLIN;
    struct timespec moment;
    moment.tv_sec = 0;
    moment.tv_nsec = MOMENT;
    wait_for(&state, 1, &moment);
    take_signals(one);
    return one->direct[number] != 0;
}

NSRUN_STUB static void hand_on(struct nsrun_pid_one *one, uint32_t number, bool whole_group) {
    if (number < 1 || number > 64 || one->ended)
        return;
    if (one->own_group) {
        // A terminal has stopped the whole group, this one's or the command's, so all of it goes on.
        if (number == SIGCONT) {
            nsrun_stub_call(SYS_kill, 0, SIGCONT, 0, 0, 0);
            nsrun_stub_call(SYS_kill, -one->command, SIGCONT, 0, 0, 0);
        }
        // The command's group, where it leads one; else it is of this one's, which has its signals blocked.
        if (whole_group) {
            if (nsrun_stub_call(SYS_kill, -one->command, number, 0, 0, 0) < 0)
                nsrun_stub_call(SYS_kill, 0, number, 0, 0, 0);
            return;
        }
    } else if (has_come(one, number)) {
        return;
    }
    nsrun_stub_call(SYS_kill, one->command, number, 0, 0, 0);
}

/// The launcher counts what it sends, and so knows which of the stops that it is told of are over.
NSRUN_STUB_INLINE void note(struct nsrun_pid_one *one, uint32_t number) {
    if (number == SIGCONT)
        one->continued++;
}

/// Takes what the launcher has sent; nothing more comes of one that has ended.
NSRUN_STUB static void take_orders(struct nsrun_pid_one *one) {
    unsigned char order[2];
    long size;
    while ((size = nsrun_stub_call(SYS_recvfrom, one->channel, (long)order, sizeof order, MSG_DONTWAIT, 0)) > 0)
        if (size == 2) {
            note(one, order[1]);
            hand_on(one, order[1], order[0] == NSRUN_ORDER_GROUP_SIGNAL);
        }
    if (size == -EAGAIN || size == -EINTR)
        return;
    if (one->follows)
        leave(128 + SIGKILL);
    nsrun_stub_call(SYS_close, one->channel, 0, 0, 0, 0);
    one->channel = -1;
}

/// What is due: the command is asked to end, and killed later; what lingers ends with this process.
NSRUN_STUB static void keep_time(struct nsrun_pid_one *one) {
    if (one->due == 0 || now() < one->due)
        return;
    const bool is_last = one->timed_out;
    one->timed_out = true;
    one->due = is_last || one->kill_after < 0 ? 0 : now() + one->kill_after;
    if (is_last && one->ended)
        leave(128 + SIGKILL);
    if (is_last)
        one->lingers = false;
    if (one->ended)
        return;
    nsrun_stub_call(SYS_kill, one->command, is_last ? SIGKILL : SIGTERM, 0, 0, 0);
    nsrun_stub_call(SYS_kill, one->command, SIGCONT, 0, 0, 0);   // a stopped one could not end
}

/// Waits until the launcher lets it go on, or is gone.
NSRUN_STUB static void await_going_on(struct nsrun_pid_one *one) {
    for (;;) {
        unsigned char order[2];
        const long size = nsrun_stub_call(SYS_recvfrom, one->channel, (long)order, sizeof order, 0, 0);
        if (size == 1 || (size <= 0 && size != -EINTR))
            return;
        if (size == 2 && order[1] >= 1 && order[1] <= 64) {
            note(one, order[1]);
            one->early |= 1ull << (order[1] - 1);
        }
    }
}

/// Tells the launcher that the command has started. Where it has not, the stub has told so before.
NSRUN_STUB static void announce(struct nsrun_pid_one *one) {
    char byte;
    long size;
    do {
        size = nsrun_stub_call(SYS_read, one->ready, (long)&byte, 1, 0, 0);
    } while (size == -EINTR);
    nsrun_stub_call(SYS_close, one->ready, 0, 0, 0, 0);
    mention(one, NSRUN_REPORT_STARTED, one->command, 0, 0);
    if (one->is_answered)   // until then even a command that has ended keeps its pid
        await_going_on(one);
}

NSRUN_STUB void nsrun_be_pid_one(struct nsrun_pid_one *one) {
    if (one->is_quiet)
        reap(one, 0);
    if (one->ready >= 0)
        announce(one);
    for (uint32_t number = 1; number <= 64; number++)
        if (one->early >> (number - 1) & 1)
            hand_on(one, number, false);
    int faults = 0;
    for (;;) {
        reap(one, WNOHANG);
        struct pollfd states[3];
        states[0].fd = one->signals;
        states[1].fd = one->channel;
        states[2].fd = one->life;
        for (int i = 0; i < 3; i++) {
            states[i].events = POLLIN;
            states[i].revents = 0;
        }
        struct timespec left;
        const int64_t until = one->due == 0 ? 0 : one->due - now();
        left.tv_sec = until > 0 ? until / SECOND : 0;
        left.tv_nsec = until > 0 ? until % SECOND : 0;
        const long count = wait_for(states, 3, one->due == 0 ? NULL : &left);
        // A want of memory passes. What does not is an end, and no hang.
        if (count < 0 && count != -EINTR) {
            if (++faults == MOST_FAULTS) {
                mention(one, NSRUN_REPORT_FAILED, 0, NSRUN_CALL_WAIT, (int)-count);
                leave(125);
            }
            struct timespec pause;
            pause.tv_sec = 0;
            pause.tv_nsec = 1000 * 1000;
            nsrun_stub_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0);
            continue;
        }
        faults = 0;
        if (states[2].revents)
            leave(128 + SIGKILL);
        keep_time(one);
        if (states[0].revents)
            take_signals(one);
        if (states[1].revents)
            take_orders(one);
    }
}
