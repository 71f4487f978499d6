// Pid 1 of a run: reaps whatever ends, forwards signals to the command, and ends when the command
// does, which makes the kernel kill everything else in the namespace.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "world.h"

/// Marks a signal as forwarded by the launcher, not sent to the whole group; the number is in the low byte.
static const int forward_mark = 0x6e737200;

/// What forwarded signals come as. Of most signals no second one is queued where one is pending, so that one that
/// comes as itself and the group's would be one.
static const int carrier = 64;

/// A copy forwarded within this time of a direct one is the same signal. Generous, for on a busy machine
/// the launcher may be late, and a late SIGCONT would undo the next stop.
static const int64_t same_signal = 5ll * 1000 * 1000 * 1000;

/// Within this time every copy is, as more than one direct signal may have become one.
static const int64_t same_signals = 200 * 1000 * 1000;

struct pid_one {
    pid_t command;
    bool ended;
    struct nsrun_world *world;
    int64_t direct[65];   ///< when a signal last came to us directly, as one of the group
};

int nsrun_forward(pid_t child, uint32_t shape, int number) {
    if (shape != NSRUN_SHAPE_INIT)
        return kill(child, number) == 0 ? 0 : -errno;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = forward_mark | number;
    // Pid 1 itself may have been stopped, and only a real SIGCONT makes it go on.
    const int sent = number == SIGCONT ? SIGCONT : carrier;
    return nsrun_result(syscall(SYS_rt_sigqueueinfo, child, sent, &info));
}

static void tell(struct pid_one *one, uint32_t kind, int value, const void *data, size_t length) {
    struct nsrun_report *report = one->world->report;
    report->kind = kind;
    report->value = value;
    report->length = (uint32_t)length;
    if (length > 0)
        memcpy(report->text, data, length);
    nsrun_send(one->world->status_fd, report);
}

/// A launcher that does not read before the end must not keep pid 1 waiting: it learns of less then.
static bool has_room(int pipe) {
    struct pollfd state = {.fd = pipe, .events = POLLOUT};
    return poll(&state, 1, 0) == 1 && (state.revents & POLLOUT);
}

static void end(struct pid_one *one, int status, const struct rusage *usage) {
    // Whether anything lingers: the launcher waits for pid 1 where that is over at once.
    siginfo_t info;
    one->world->report->call =
        waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 && errno == ECHILD;
    tell(one, NSRUN_REPORT_ENDED, status, usage, sizeof *usage);
    one->ended = true;
    if (!(one->world->plan->flags & NSRUN_LINGER))
        _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    close(one->world->status_fd);   // the launcher need not wait for the others
}

static void reap(struct pid_one *one) {
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG | WUNTRACED | __WALL, &usage);
        if (pid < 0 && errno == ECHILD && one->ended)
            _exit(0);
        if (pid <= 0)
            return;
        if (pid != one->command)
            continue;
        if (!WIFSTOPPED(status))
            end(one, status, &usage);
        else if (has_room(one->world->status_fd))
            tell(one, NSRUN_REPORT_STOPPED, WSTOPSIG(status), NULL, 0);
    }
}

static bool is_forwarded(const siginfo_t *info) {
    return info->si_code == SI_QUEUE && (info->si_value.sival_int & ~0xff) == forward_mark;
}

static void pass_on(struct pid_one *one, const siginfo_t *info) {
    const int number = is_forwarded(info) ? info->si_value.sival_int & 0xff : info->si_signo;
    if (number < 1 || number > 64 || one->ended)
        return;
    if (!is_forwarded(info)) {
        // Sent to the group, which the command belongs to as well: it has its own copy.
        one->direct[number] = nsrun_now();
        return;
    }
    const int64_t direct = one->direct[number];
    const int64_t age = nsrun_now() - direct;
    if (direct != 0 && age < same_signals)
        return;
    one->direct[number] = 0;
    if (direct != 0 && age < same_signal)
        return;
    // The launcher may have been quicker than the sender's loop over the group.
    const uint64_t only = 1ull << (number - 1);
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    siginfo_t next;
    if (syscall(SYS_rt_sigtimedwait, &only, &next, &moment, sizeof only) == number
        && !is_forwarded(&next)) {
        one->direct[number] = nsrun_now();
        return;
    }
    kill(one->command, number);
}

/// Runs the command's own steps; shares the parent's memory, which waits until exec.
static int command_main(void *argument) {
    struct pid_one *one = argument;
    const struct nsrun_plan *plan = one->world->plan;
    // Without a pid namespace nothing else ends the command when its pid 1 is killed.
    if (!(plan->clone_flags & CLONE_NEWPID))
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (nsrun_walk(one->world, plan->command_start, plan->count) < 0)
        nsrun_send(one->world->status_fd, one->world->report);
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
    if (fd <= 2 || fd == w->status_fd || fd == w->reply_fd || is_kept(w, fd))
        return true;
    for (size_t i = w->plan->command_start; i < w->plan->count; i++)
        if (w->plan->steps[i].fd == fd && w->plan->steps[i].op != NSRUN_OP_RLIMIT)
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

/// The command's filters hold for pid 1 as well, or the command could do through it what they forbid.
static void filter_self(const struct nsrun_world *w) {
    for (size_t i = w->plan->command_start; i < w->plan->count; i++) {
        const struct nsrun_step *step = &w->plan->steps[i];
        if (step->op == NSRUN_OP_SECCOMP)
            nsrun_seccomp(step->data, step->length);
    }
}

void nsrun_init(struct nsrun_world *w) {
    // Only one launch runs in this process, which is a copy of the launcher's.
    static char stack[64 * 1024] __attribute__((aligned(64)));
    struct pid_one one = {.world = w};
    if (w->plan->flags & NSRUN_OWN_SESSION)
        setsid();
    nsrun_heed_children();   // a program that launches may ignore them
    close_private(w);
    // Pid 1 is a copy of the launcher, whose memory the command must not see, and what pid 1 tells the launcher
    // must not be the command's to tell.
    if (!(w->plan->flags & NSRUN_READABLE_INIT))
        nsrun_hide();
    one.command = clone(command_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &one);
    if (one.command < 0) {
        w->report->kind = NSRUN_REPORT_FAILED;
        w->report->step = (int32_t)w->plan->command_start;
        w->report->error = errno;
        w->report->call = NSRUN_CALL_FORK;
        w->report->length = 0;
        nsrun_send(w->status_fd, w->report);
        _exit(125);
    }
    if (w->report->kind == NSRUN_REPORT_FAILED)   // told by the command itself
        _exit(125);
    if (w->plan->flags & NSRUN_ANNOUNCE)   // each record wakes the launcher, so none is sent unasked
        tell(&one, NSRUN_REPORT_STARTED, one.command, NULL, 0);
    if (w->plan->flags & NSRUN_ANSWERED)   // until then even a command that has ended keeps its pid
        nsrun_await(w->reply_fd);
    // What the command closes is closed: pid 1 holds on to nothing of the caller's.
    for (int fd = 0; fd <= 2; fd++)
        if (!is_kept(w, fd))
            close(fd);
    w->plan->kept_fds[w->kept_count] = w->status_fd;
    nsrun_close_others(w->plan->kept_fds, w->kept_count + 1);
    filter_self(w);
    const uint64_t all = ~0ull;
    for (;;) {
        reap(&one);
        siginfo_t info;
        long number = syscall(SYS_rt_sigtimedwait, &all, &info, NULL, sizeof all);
        if (number > 0 && number != SIGCHLD)
            pass_on(&one, &info);
    }
}
