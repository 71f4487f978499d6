// The process that serves a squashfs to a run through FUSE: squashfuse_ll(1), started by the launcher before
// the run's namespaces exist.
//
// It lives outside of them: the command neither sees it in its pid namespace nor, and that is the point, is the
// run's mount namespace held by it. So the kernel takes the file system down with the last process of the run,
// reading from the device fails, and the server ends, however the run came to its end. It is nobody's child,
// for in place the launcher becomes the command, which must not find a child that it did not start.
//
// The image may be hostile. The server keeps no descriptor of the caller's, can write no file, reach no process
// and open no socket.

#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "include/nsrun.h"
#include "syscalls.h"

/// Where the server finds its descriptors; `argv` names them.
enum { DEVICE = 3, IMAGE = 4 };

struct server {
    const char *program;
    char *const *argv;
    char *const *envp;
    int image, socket, errors;
    const uint64_t *signals;
};

/// Everything that changes something (landlock(7)); unknown to the kernel it is done without.
static void forbid_writing(void) {
    enum { CREATE_RULESET = 444, RESTRICT_SELF = 446, ASK_VERSION = 1 };
    const long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    if (version < 1)
        return;
    struct {
        uint64_t files, network, scope;
    } forbidden = {
        // To write, remove and make; then to move, truncate and control devices.
        .files = 1 << 1 | 0x1ff << 4 | (version >= 2 ? 1 << 13 : 0) | (version >= 3 ? 1 << 14 : 0)
                 | (version >= 5 ? 1 << 15 : 0),
        .network = version >= 4 ? 3 : 0,   // to bind and connect
        .scope = version >= 6 ? 3 : 0,     // abstract sockets and signals of others
    };
    const int rules = (int)syscall(CREATE_RULESET, &forbidden, sizeof forbidden, 0);
    if (rules >= 0)
        syscall(RESTRICT_SELF, rules, 0);
}

#if defined __x86_64__
enum { NATIVE = AUDIT_ARCH_X86_64, HIGHEST = 0x3fffffff };   // above are the calls of x32
#elif defined __aarch64__
enum { NATIVE = AUDIT_ARCH_AARCH64, HIGHEST = 0x7fffffff };
#endif

/// A service that listens on a path would do for it what it may not do itself.
static void forbid_sockets(void) {
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, HIGHEST, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof *program,
                                      .filter = (struct sock_filter *)program};
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

/// The device, which the run's set-up opens and sends; -1 where that comes to nothing.
static int receive(int socket) {
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t count;
    do {
        count = recvmsg(socket, &message, 0);
    } while (count < 0 && errno == EINTR);
    int fd = -1;
    const struct cmsghdr *head = count == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

__attribute__((noreturn)) static void serve(const struct server *server) {
    // What is sent to the terminal's or the job's processes is for the command, which still needs its root
    // while it deals with it.
    setsid();
    const int null = open("/dev/null", O_RDWR);
    if (chdir("/") != 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0
        || dup2(server->errors, 2) < 0)
        _exit(1);
    const int keep[] = {server->image, server->socket};
    nsrun_close_others(keep, 2);
    const int device = receive(server->socket);
    if (device < 0)
        _exit(0);
    // All of them are above 2. First out of each other's way, then to their numbers.
    const int from[] = {fcntl(device, F_DUPFD, 10), fcntl(server->image, F_DUPFD, 10)};
    if (dup2(from[0], DEVICE) < 0 || dup2(from[1], IMAGE) < 0)
        _exit(1);
    nsrun_close_range(5, ~0u, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    forbid_writing();
    forbid_sockets();
    execve(server->program, server->argv, server->envp);
    static const char failed[] = "it cannot be started\n";
    nsrun_write_all(2, failed, sizeof failed - 1);
    _exit(127);
}

/// Runs on the launcher's memory, which waits.
static int start(void *argument) {
    const long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0)
        serve(argument);
    _exit(pid < 0 ? errno : 0);
}

int nsrun_start_image_server(const char *program, char *const argv[], char *const envp[], int image,
                             int *socket, int *errors) {
    int pair[2], words[2];
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
                            .socket = pair[1], .errors = words[1]};
    // Blocked for the server, too, and for good: KILL ends it, and the end of the run.
    uint64_t previous;
    nsrun_block_all_signals(&previous);
    char stack[16 * 1024] __attribute__((aligned(64)));
    // Without SIGCHLD: a program that launches runs is not told of a child that it does not know.
    const pid_t pid = clone(start, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &server);
    error = pid < 0 ? -errno : 0;
    int status = 0;
    if (error == 0)
        error = nsrun_wait(pid, true, &status, NULL);
    if (error == 0)
        error = -WEXITSTATUS(status);   // a small errno
    nsrun_sigprocmask(SIG_SETMASK, &previous, NULL);
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
