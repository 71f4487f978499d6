// SPDX-License-Identifier: Apache-2.0
//
// Descendants of a command that no pid namespace holds together. The launcher adopts them
// (PR_SET_CHILD_SUBREAPER), so that it can end what the command leaves behind.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "include/host.h"
#include "include/host_parsers.h"
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
    return nsrun_has_stopped(child);
}

pid_t nsrun_next_pid(const char **list) {
    char *end;
    const long pid = strtol(*list, &end, 10);
    // There may be more than were read: the last of them is cut off, and would be another process's.
    if (end == *list || *end != ' ')
        return 0;
    *list = end + 1;
    return (pid_t)pid;
}

/// Whether a process is in this one's user and mount namespaces, where none of a group's is: then it is who keeps the group.
static bool keeps_group(pid_t pid) {
    static const char *const kinds[] = {"user", "mnt"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[48];
        struct stat own, other;
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        if (stat(path, &own) != 0)
            return false;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i]);
        if (stat(path, &other) != 0 || own.st_ino != other.st_ino || own.st_dev != other.st_dev)
            return false;
    }
    return true;
}

/// Kills the children that a file of proc lists, but for one, and for who keeps a group. Returns how many there were.
static unsigned kill_listed(const char *path, pid_t spared, bool of_group) {
    char text[16384];
    unsigned count = 0;
    const ssize_t length = nsrun_read_file(path, text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    const char *next = text;
    for (pid_t pid; (pid = nsrun_next_pid(&next)) > 0;)
        if (pid != spared && !(of_group && keeps_group(pid))) {
            kill(pid, SIGKILL);
            count++;
        }
    return count;
}

static const char own_children[] = "/proc/thread-self/children";

void nsrun_kill_traced(pid_t tracer) {
    const struct timespec moment = {.tv_nsec = 1000 * 1000};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", tracer, tracer);
    // Children of who goes become ours, so they are found in the next round.
    for (int rounds = 0; rounds < 1000; rounds++) {
        siginfo_t info = {0};
        const int gone = waitid(P_PID, (id_t)tracer, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
        if (gone != 0 || info.si_pid == tracer)
            return;
        if (kill_listed(path, 0, false) + kill_listed(own_children, tracer, false) == 0)
            break;
        nanosleep(&moment, NULL);
        nsrun_reap_strays(tracer);
    }
    kill(tracer, SIGKILL);
}

void nsrun_kill_strays(bool of_group) {
    for (;;) {
        // Their children become ours as they go, so this comes round again until there are none.
        const unsigned count = kill_listed(own_children, 0, of_group);
        int status;
        pid_t gone = waitpid(-1, &status, count > 0 ? __WALL : __WALL | WNOHANG);
        if (gone == 0 || (gone < 0 && errno != EINTR))
            return;
    }
}
