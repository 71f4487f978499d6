// Descendants of a command that no pid namespace holds together. The launcher adopts them
// (PR_SET_CHILD_SUBREAPER), so that it can end what the command leaves behind.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "include/nsrun.h"
#include "syscalls.h"

int nsrun_adopt_strays(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

bool nsrun_reap_strays(pid_t child) {
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        // The child's own end is left for whoever waits for it.
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid == 0
            || info.si_pid == child)
            break;
        waitpid(info.si_pid, NULL, __WALL);
    }
    info.si_pid = 0;
    return waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid == child;
}

void nsrun_kill_strays(void) {
    char text[16384];
    for (;;) {
        // Their children become ours as they go, so this comes round again until there are none.
        ssize_t length = nsrun_read_file("/proc/thread-self/children", text, sizeof text - 1);
        text[length > 0 ? length : 0] = 0;
        for (char *next = text, *end; (void)0, *next != 0; next = end) {
            const long pid = strtol(next, &end, 10);
            if (end == next)
                break;
            kill((pid_t)pid, SIGKILL);
            while (*end == ' ')
                end++;
        }
        int status;
        pid_t gone = waitpid(-1, &status, length > 0 ? __WALL : __WALL | WNOHANG);
        if (gone == 0 || (gone < 0 && errno != EINTR))
            return;
    }
}
