// SPDX-License-Identifier: Apache-2.0
//
// What the launcher asks of the host outside a plan, in the shape Swift can call: glibc hides these
// calls or their constants from Swift, and errno stays on this side.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "include/host.h"
#include "landlock.h"
#include "syscalls.h"

const uint64_t nsrun_clone_newuser = CLONE_NEWUSER, nsrun_clone_newns = CLONE_NEWNS,
               nsrun_clone_newpid = CLONE_NEWPID, nsrun_clone_newnet = CLONE_NEWNET,
               nsrun_clone_newipc = CLONE_NEWIPC, nsrun_clone_newuts = CLONE_NEWUTS,
               nsrun_clone_newcgroup = CLONE_NEWCGROUP;
const uint64_t nsrun_ms_slave = MS_SLAVE;

int nsrun_blocked_signals(uint64_t *mask) { return nsrun_sigprocmask(SIG_SETMASK, NULL, mask); }

int nsrun_block_all_signals(uint64_t *previous) {
    const uint64_t all = ~0ull;
    return nsrun_sigprocmask(SIG_SETMASK, &all, previous);
}

void nsrun_restore_signals(uint64_t mask) { nsrun_sigprocmask(SIG_SETMASK, &mask, NULL); }

int nsrun_read_signal(int fd, bool *from_kernel, pid_t *sender) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    if (count != sizeof info)
        return count < 0 ? -errno : -EAGAIN;
    *from_kernel = info.ssi_code == SI_KERNEL;
    *sender = (pid_t)info.ssi_pid;
    return (int)info.ssi_signo;
}

int nsrun_poll3(int a, int b, int c, int64_t nanoseconds) {
    struct pollfd fds[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}, {.fd = c, .events = POLLIN}};
    struct timespec limit = {.tv_sec = nanoseconds / 1000000000,
                             .tv_nsec = nanoseconds % 1000000000};
    int count;
    // A want of memory passes, and a launcher that looked no more would be deaf.
    while ((count = ppoll(fds, 3, nanoseconds < 0 ? NULL : &limit, NULL)) < 0 && errno != EINTR)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (count < 0)
        return 0;
    return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0) | (fds[2].revents ? 4 : 0);
}

int nsrun_die_with_parent(void) {
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 ? 0 : -errno;
}

int nsrun_open_terminal(void) { return nsrun_open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK); }

bool nsrun_has_terminal(void) {
    const int terminal = nsrun_open_terminal();
    if (terminal >= 0)
        close(terminal);
    return terminal >= 0;
}

void nsrun_lead_group(pid_t child) { setpgid(child, child); }

void nsrun_signal_own_group(int signal) { kill(0, signal); }

bool nsrun_has_stopped(pid_t child) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid == child;
}

bool nsrun_is_deadly(int signal) {
    struct nsrun_sigaction present = {.handler = SIG_IGN};
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        syscall(SYS_rt_sigaction, signal, NULL, &present, sizeof present.mask);
        return present.handler == SIG_DFL;
    }
}

static uint64_t limit_of(int resource) {
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
}

void nsrun_end_by_signal(int signal) {
    const struct nsrun_sigaction by_default = {.handler = SIG_DFL};
    const uint64_t none = 0;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);   // the command may have left a core, this has nothing to tell
    nsrun_set_signal(signal, &by_default);
    kill(getpid(), signal);
    nsrun_sigprocmask(SIG_SETMASK, &none, NULL);
}

uint64_t nsrun_stack_limit(void) { return limit_of(RLIMIT_STACK); }

uint64_t nsrun_memory_limit(void) { return limit_of(RLIMIT_AS); }

unsigned nsrun_features(void) {
    unsigned features = 0;
    // The youngest of the mount calls stands for them all; neither changes anything. Whether a filter forbids them shows
    // where they are allowed, see nsrun_choose_calls().
    struct mount_attr attributes = {.attr_set = 0};
    long set = syscall(SYS_mount_setattr, -1, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    const bool has_set = set == 0 || errno != ENOSYS;   // nothing to change is a success for root
    if (has_set && syscall(SYS_move_mount, -1, "", -1, "", 0) != 0 && errno != ENOSYS)
        features |= NSRUN_FEATURE_MOUNT_API;
    if (!nsrun_is_lacking(nsrun_openat2(-1, ".", O_PATH, 0)))
        features |= NSRUN_FEATURE_OPENAT2;
    return features;
}

unsigned nsrun_landlock(void) {
    const int version = nsrun_landlock_version();
    return version < 0 ? 0 : (unsigned)version;
}

int nsrun_try_namespaces(uint64_t kinds) {
    const long pid = syscall(SYS_clone, kinds, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    int status;
    return pid < 0 ? -errno : nsrun_wait((pid_t)pid, true, &status, NULL);
}

int nsrun_uname(char release[65], char machine[65]) {
    struct utsname name;
    if (uname(&name) != 0)
        return -errno;
    memcpy(release, name.release, 65);
    memcpy(machine, name.machine, 65);
    return 0;
}

void nsrun_identify_senders(int fd) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

int nsrun_read_report(int fd, struct nsrun_report *report, pid_t *sender, int passed[2]) {
    const ssize_t head = offsetof(struct nsrun_report, text);
    struct ucred who = {.pid = 0};
    // For the sender and two descriptors: more do not find room.
    char room[CMSG_SPACE(sizeof who) + CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(16)));
    struct iovec part = {.iov_base = report, .iov_len = sizeof *report};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    passed[0] = passed[1] = -1;
    ssize_t size;
    do {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        // A want of memory passes, and what was told is still there. It is, too, where the other end has gone with an order
        // unread, of which the kernel tells first, and once.
        if (size < 0 && errno == ENOMEM)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (size < 0 && (errno == EINTR || errno == ENOMEM || errno == ECONNRESET));
    for (struct cmsghdr *told = size < 0 ? NULL : CMSG_FIRSTHDR(&message); told != NULL;
         told = CMSG_NXTHDR(&message, told)) {
        if (told->cmsg_type == SCM_CREDENTIALS)
            memcpy(&who, CMSG_DATA(told), sizeof who);
        const size_t count = told->cmsg_type == SCM_RIGHTS ? (told->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        for (size_t i = 0; i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(told) + i * sizeof one, sizeof one);
            if (i < 2)
                passed[i] = one;
            else
                close(one);
        }
    }
    if (sender != NULL)
        *sender = who.pid;
    return size >= head && (size_t)(size - head) == report->head.length;
}

int nsrun_order_signal(int channel, pid_t child, int signal, bool whole_group) {
    const unsigned char order[] = {whole_group ? NSRUN_ORDER_GROUP_SIGNAL : NSRUN_ORDER_SIGNAL,
                                   (unsigned char)signal};
    // Pid 1 itself may have been stopped, and only a real SIGCONT makes it go on: a queued one, which it can tell from
    // one to the whole group.
    if (signal == SIGCONT)
        sigqueue(child, SIGCONT, (union sigval){0});
    return send(channel, order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ? 0 : -errno;
}

int nsrun_signal_process(int process, int signal) {
    return nsrun_result(syscall(SYS_pidfd_send_signal, process, signal, NULL, 0));
}

int nsrun_order_going_on(int channel) {
    const unsigned char order = NSRUN_ORDER_GO_ON;
    ssize_t sent;
    do {
        sent = send(channel, &order, 1, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

bool nsrun_holds(const void *bytes, size_t length, const void *part, size_t part_length) {
    return memmem(bytes, length, part, part_length) != NULL;
}

int nsrun_groups(uint32_t *groups, int capacity) {
    _Static_assert(sizeof(gid_t) == sizeof *groups, "a group id has 32 bits");
    return nsrun_result(getgroups(capacity, groups));
}

int nsrun_runs_32bit(void) {
    const int present = personality(0xffffffff);   // which asks without changing
    if (present < 0 || personality(PER_LINUX32) < 0)
        return 0;
    personality((unsigned long)present);
    return 1;
}

void nsrun_format_time(int64_t seconds, char *text, size_t size) {
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (gmtime_r(&time, &parts) == NULL || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        text[0] = 0;
}

void nsrun_host_name(char name[65]) {
    if (gethostname(name, 65) != 0)
        name[0] = 0;
    name[64] = 0;
}

void nsrun_set_mask(uint32_t mask) { umask((mode_t)mask); }

int nsrun_become(const char *path, char *const argv[], char *const envp[]) {
    execve(path, argv, envp);
    return -errno;
}

int nsrun_capture(const char *path, char *const argv[], char *const envp[], char *buffer,
                  size_t capacity, size_t *length, bool errors_too) {
    int fds[2];
    int made = nsrun_pipe(fds);
    if (made < 0)
        return made;
    pid_t pid = vfork();
    if (pid == 0) {
        const uint64_t none = 0;
        nsrun_sigprocmask(SIG_SETMASK, &none, NULL);
        if (dup2(fds[1], 1) < 0 || (errors_too && dup2(fds[1], 2) < 0))
            _exit(127);
        execve(path, argv, envp);
        _exit(127);
    }
    int error = pid < 0 ? -errno : 0;
    close(fds[1]);
    ssize_t count = error < 0 ? 0 : nsrun_read_all(fds[0], buffer, capacity);
    close(fds[0]);
    *length = count > 0 ? (size_t)count : 0;
    int status = 0;
    if (error == 0)
        error = nsrun_wait(pid, true, &status, NULL);
    return error < 0 ? error : status;
}

int nsrun_is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

int nsrun_kill(pid_t pid, int signal) { return kill(pid, signal) == 0 ? 0 : -errno; }

static char **arguments;

#ifdef __GLIBC__
/// glibc hands every constructor what it hands main().
__attribute__((constructor)) static void keep_arguments(int count, char **vector) {
    (void)count;
    arguments = vector;
}
#else
/// The kernel puts the environment right behind the arguments, and their number before them: the initial
/// process stack of the System V ABI. nsrun has no library that changes the environment before this.
__attribute__((constructor)) static void find_arguments(void) {
    char **end = environ - 1;
    intptr_t count = 0;
    while ((intptr_t)end[-count - 1] != count) count++;
    arguments = end - count;
}
#endif

char **nsrun_arguments(void) { return arguments; }

char **nsrun_environment(void) { return environ; }

int nsrun_is_terminal(int fd) { return isatty(fd); }

pid_t nsrun_terminal_group(int fd) { return tcgetpgrp(fd); }

int nsrun_set_terminal_group(int fd, pid_t group) {
    // The caller has SIGTTOU blocked, so that this works from the background.
    return tcsetpgrp(fd, group) == 0 ? 0 : -errno;
}

ssize_t nsrun_terminal_name(int fd, char *buffer, size_t capacity) {
    int error = ttyname_r(fd, buffer, capacity);
    return error != 0 ? -error : (ssize_t)strlen(buffer);
}

int nsrun_enter_namespace(int fd, uint64_t type) {
    return setns(fd, (int)type) == 0 ? 0 : -errno;
}
