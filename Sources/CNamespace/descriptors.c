// SPDX-License-Identifier: Apache-2.0
//
// The descriptors of this process, many at a time.

#define _GNU_SOURCE
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "executor.h"

/// Where there is no list: as far as the limit allows.
static void try_each(void (*visit)(void *context, int fd), void *context) {
    struct rlimit limit = {.rlim_max = 1 << 16};
    getrlimit(RLIMIT_NOFILE, &limit);
    const int end = limit.rlim_max < 1 << 20 ? (int)limit.rlim_max : 1 << 20;
    for (int fd = 0; fd < end; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            visit(context, fd);
}

void nsrun_each_descriptor(int proc, void (*visit)(void *context, int fd), void *context) {
    const int list =
        nsrun_result(openat(proc, proc < 0 ? "/proc/self/fd" : "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (list < 0) {
        try_each(visit, context);
        return;
    }
    char buffer[4096] __attribute__((aligned(8)));
    long count;
    while ((count = syscall(SYS_getdents64, list, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < count;) {
            const struct nsrun_entry *entry = (const void *)(buffer + at);
            at += entry->size;
            const int fd = atoi(entry->name);
            if (entry->name[0] != '.' && fd != list)
                visit(context, fd);
        }
    }
    close(list);
}

struct range {
    unsigned first, last;
    bool at_exec;
};

static void close_in(void *context, int fd) {
    const struct range *range = context;
    if ((unsigned)fd < range->first || (unsigned)fd > range->last)
        return;
    if (range->at_exec)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    else
        close(fd);
}

void nsrun_close_range(unsigned first, unsigned last, unsigned flags) {
    struct range range = {.first = first, .last = last, .at_exec = flags & CLOSE_RANGE_CLOEXEC};
    if (syscall(SYS_close_range, first, last, flags) != 0)
        nsrun_each_descriptor(-1, close_in, &range);
}

void nsrun_close_others(const int *keep, size_t count) {
    unsigned from = 3;
    for (;;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < count; i++)
            if (keep[i] >= (int)from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        if (next > from)
            nsrun_close_range(from, next == ~0u ? next : next - 1, 0);
        if (next == ~0u)
            return;
        from = next + 1;
    }
}
