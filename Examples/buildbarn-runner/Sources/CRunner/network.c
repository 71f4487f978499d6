// SPDX-License-Identifier: Apache-2.0
//
// A network of a process and of what it launches: see network_namespaces(7).

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/runner.h"

static int write_file(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const ssize_t count = write(fd, text, strlen(text));
    const int error = count < 0 ? -errno : 0;
    close(fd);
    return error;
}

/// Every id is the one that it was before; the others are nobody's.
static int map_ids(uid_t user, gid_t group) {
    char map[32];
    int error = write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", user, user);
    if (error == 0)
        error = write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1", group, group);
    return error == 0 ? write_file("/proc/self/gid_map", map) : error;
}

static int raise_loopback(void) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    const int error = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

/// Capabilities over the own user namespace: at hand while a network is made, and put away otherwise.
static int set_power(bool at_hand) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) != 0)
        return -errno;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        sets[i].effective = at_hand ? sets[i].permitted : 0;
    return syscall(SYS_capset, &header, sets) == 0 ? 0 : -errno;
}

/// The flow labels of the network, which stay for a while after whoever asked for them; -1 without IPv6.
static int labels = -1;

static int make_network(void) {
    int error = unshare(CLONE_NEWNET) == 0 ? raise_loopback() : -errno;
    if (error != 0)
        return error;
    if (labels >= 0)
        close(labels);
    labels = open("/proc/self/net/ip6_flowlabel", O_RDONLY | O_CLOEXEC);
    const int fd = open("/proc/self/net/dev", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int make_first(void) {
    const uid_t user = geteuid();
    const gid_t group = getegid();
    int error = unshare(CLONE_NEWUSER) == 0 ? map_ids(user, group) : -errno;
    if (error != 0)
        return error;
    const int fd = make_network();
    error = set_power(false);
    return fd < 0 || error == 0 ? fd : error;
}

int runner_make_first_network(void) {
    // What is refused half-way cannot be taken back, so somebody else tries it first.
    const pid_t pid = fork();
    if (pid == 0)
        _exit(make_first() < 0);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid < 0 || status != 0 ? -EPERM : make_first();
}

int runner_make_next_network(void) {
    int fd = set_power(true);
    if (fd == 0)
        fd = make_network();
    const int error = set_power(false);
    return fd < 0 || error == 0 ? fd : error;
}

/// The beginning of a file of proc; NULL where it cannot be read.
static const char *beginning(int fd, char text[4096]) {
    const ssize_t length = pread(fd, text, 4095, 0);
    if (length < 0)
        return NULL;
    text[length] = 0;
    return text;
}

bool runner_is_unused(int devices) {
    char buffer[4096];
    const char *text = labels < 0 ? "" : beginning(labels, buffer);
    if (text == NULL || strchr(text, '\n') != strrchr(text, '\n'))   // more than the line that heads them
        return false;
    text = beginning(devices, buffer);
    if (text == NULL)
        return false;
    // Bytes received come first, and what lo sends it receives.
    const char *lo = strstr(text, "lo:");
    return lo && strtoull(lo + strlen("lo:"), NULL, 10) == 0;
}
