// SPDX-License-Identifier: Apache-2.0
//
// What nsrun does as a program inside of proot(1), which neither tells how a command ended nor hands
// signals on, and which must be tried before it is trusted.

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "include/host.h"
#include "syscalls.h"

static void tell(int fd, uint32_t kind, int value) {
    const struct nsrun_report_head record = {.kind = kind, .value = value, .call = 1};
    nsrun_write_all(fd, (const char *)&record, sizeof record);
}

/// What proot itself was to be told goes, and what it was not to be told comes back.
static void restore_environment(void) {
    static const char hidden[] = NSRUN_HIDDEN_VARIABLE;
    unsetenv("PROOT_NO_SECCOMP");
    unsetenv("PROOT_TMP_DIR");
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, hidden, sizeof hidden - 1) == 0)
            *entry += sizeof hidden - 1;
}

int nsrun_run_inside(int fd, const char *path, char *const argv[]) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    restore_environment();
    // Signals are the command's; who is only in between must outlive it.
    uint64_t mask;
    nsrun_block_all_signals(&mask);
    const pid_t command = fork();
    if (command < 0)
        return 125;
    if (command == 0) {
        nsrun_sigprocmask(SIG_SETMASK, &mask, NULL);
        execv(path, argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    tell(fd, NSRUN_REPORT_STARTED, command);
    for (;;) {
        int status = 0;
        const pid_t gone = waitpid(command, &status, WUNTRACED | __WALL);
        if (gone < 0 && errno != EINTR)
            return 125;
        if (gone == command && !WIFSTOPPED(status)) {
            tell(fd, NSRUN_REPORT_ENDED, status);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
        }
        if (gone == command)
            tell(fd, NSRUN_REPORT_STOPPED, WSTOPSIG(status));
    }
}

bool nsrun_can_trace(void) {
    const pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 1);
    int status = 0;
    return child > 0 && nsrun_wait(child, true, &status, NULL) == 0 && status == 0;
}

/// 1 if there is something at the path, 0 if not, for the two calls that older proots let through.
static int sees(const char *path) {
    char found[256];  // a struct statx, which nobody reads
    const int by_status = syscall(SYS_statx, AT_FDCWD, path, 0, 0, found) == 0;
    const int by_access = syscall(SYS_faccessat2, AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return by_status == by_access ? by_status : -1;
}

bool nsrun_sees_root(const char *inside, const char *outside) {
    return sees(inside) == 1 && sees(outside) == 0;
}
