// SPDX-License-Identifier: Apache-2.0
//
// What the kernel takes of a filter that libseccomp has made.

#define _GNU_SOURCE
#include "filter.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/host.h"
#include "syscalls.h"

ssize_t nsrun_export_filter(scmp_filter_ctx filter, char *program, size_t capacity) {
    const int file = memfd_create("filter", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    errno = 0;
    ssize_t length = seccomp_export_bpf(filter, file);
    if (length == -ECANCELED && errno != 0)   // in its own words
        length = -errno;
    if (length == 0 && lseek(file, 0, SEEK_SET) == 0)
        length = nsrun_read_all(file, program, capacity);
    close(file);
    return length;
}
