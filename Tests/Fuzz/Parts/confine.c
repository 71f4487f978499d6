// SPDX-License-Identifier: Apache-2.0
//
// What is unpacked may be hostile, and this is where faults are looked for: one that lets a file out of its directory
// shall not cost the developer's own.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz_parts.h"

// <sys/mount.h> declares what <linux/mount.h> does.
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

static int write_file(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const ssize_t count = write(fd, text, strlen(text));
    close(fd);
    return count == (ssize_t)strlen(text) ? 0 : -1;
}

static int map_id(const char *path, unsigned id) {
    char line[64];
    snprintf(line, sizeof line, "%u %u 1", id, id);
    return write_file(path, line);
}

static int set_read_only(const char *path, bool read_only, unsigned flags) {
    struct mount_attr attributes = {
        .attr_set = read_only ? MOUNT_ATTR_RDONLY : 0,
        .attr_clr = read_only ? 0 : MOUNT_ATTR_RDONLY,
    };
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof attributes);
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return (int)syscall(SYS_capset, &header, none);
}

#define TRY(what)                                                                                  \
    do {                                                                                           \
        *call = #what;                                                                             \
        if ((what) != 0)                                                                           \
            return -errno;                                                                         \
    } while (0)

int fuzz_confine(const char *directory, const char **call) {
    char scratch[PATH_MAX];
    snprintf(scratch, sizeof scratch, "%s/scratch", directory);
    const unsigned user = geteuid(), group = getegid();
    if (mkdir(scratch, 0700) != 0 && errno != EEXIST) {
        *call = "mkdir";
        return -errno;
    }
    TRY(unshare(CLONE_NEWUSER | CLONE_NEWNS));
    TRY(write_file("/proc/self/setgroups", "deny"));
    TRY(map_id("/proc/self/gid_map", group));
    TRY(map_id("/proc/self/uid_map", user));
    TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    TRY(mount(directory, directory, NULL, MS_BIND, NULL));
    TRY(set_read_only("/", true, AT_RECURSIVE));
    TRY(set_read_only(directory, false, 0));
    TRY(mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV, "size=256m,mode=0700"));
    TRY(drop_capabilities());
    return 0;
}
