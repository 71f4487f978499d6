// SPDX-License-Identifier: Apache-2.0
//
// See meeting.h, and join.c on why it is done so. Nothing is allocated, for it is done between clone and exec as well.

#define _GNU_SOURCE
#include "meeting.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include "digest.h"
#include "include/io.h"
#include "passing.h"
#include "syscalls.h"

void nsrun_name_as_file(const char *name, char *file, size_t room) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@ ";
    if (name[strspn(name, plain)] == 0 && strlen(name) < room) {
        snprintf(file, room, "%s", name);
    } else {
        struct nsrun_digest digest;
        nsrun_digest_begin(&digest);
        nsrun_mix_text(&digest, name);
        snprintf(file, room, "%%%016llx", (unsigned long long)nsrun_digest_number(&digest));
    }
}

socklen_t nsrun_meeting_address(int folder, const char *file, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    const int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder, file);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
}

int nsrun_open_folder(const char *path) {
    const int folder = nsrun_above_standard(nsrun_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat own;
    if (folder < 0)
        return folder;
    int error = fstat(folder, &own) == 0 ? 0 : -errno;
    if (error == 0 && (own.st_uid != geteuid() || (own.st_mode & 077) != 0))
        error = -EPERM;
    if (error == 0)
        return folder;
    close(folder);
    return error;
}

int nsrun_lock_folder(const char *path, int64_t patience, bool *is_taken) {
    const int64_t since = nsrun_now();
    for (long pause = 20;;) {
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return -errno;
        const int folder = nsrun_open_folder(path);
        if (folder == -ENOENT)
            continue;   // taken away by the last holder
        if (folder < 0)
            return folder;
        struct stat own, there;
        int error = flock(folder, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
        if (error == 0 && fstat(folder, &own) != 0)
            error = -errno;
        if (error == 0 && lstat(path, &there) == 0 && there.st_ino == own.st_ino && there.st_dev == own.st_dev)
            return folder;
        close(folder);
        if (error == 0)
            continue;
        if (error != -EWOULDBLOCK)
            return error;
        *is_taken = true;
        if (nsrun_now() - since > patience)
            return -ETIMEDOUT;
        const struct timespec moment = {.tv_nsec = pause * 1000};
        nanosleep(&moment, NULL);
        pause = pause < 1000 ? pause * 2 : 1000;
    }
}

int nsrun_meeting_socket(void) {
    return nsrun_above_standard(nsrun_result(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)));
}

int nsrun_meet(int socket, int folder, const char *file) {
    struct sockaddr_un address;
    const socklen_t size = nsrun_meeting_address(folder, file, &address);
    int error;
    fcntl(socket, F_SETFL, O_NONBLOCK);
    do {
        error = connect(socket, (const void *)&address, size) == 0 ? 0 : -errno;
    } while (error == -EINTR);
    fcntl(socket, F_SETFL, 0);
    return error;
}

/// 0 where a process is in that namespace, 1 where it is gone, or a negative errno.
static int check_namespace(int proc, pid_t pid, const char *kind, const struct stat *own) {
    char path[48];
    struct stat other;
    snprintf(path, sizeof path, "%d/ns/%s", pid, kind);
    if (fstatat(proc, path, &other, 0) != 0)
        return errno == ENOENT || errno == ESRCH ? 1 : -errno;
    return other.st_ino == own->st_ino && other.st_dev == own->st_dev ? 0 : -EACCES;
}

int nsrun_check_peer(int socket, int proc, const struct stat *user, const struct stat *mount) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -errno;
    if (peer.uid != geteuid() || peer.pid <= 0)
        return -EACCES;
    const int life = nsrun_peer(socket);
    if (life == -ESRCH)
        return 1;
    int error = check_namespace(proc, peer.pid, "user", user);
    if (error == 0 && mount != NULL)
        error = check_namespace(proc, peer.pid, "mnt", mount);
    // Only of a process that still lives was the number its own.
    struct pollfd end = {.fd = life, .events = POLLIN};
    if (life >= 0) {
        if (error == 0 && poll(&end, 1, 0) == 1)
            error = 1;
        close(life);
    }
    return error;
}

struct round {
    const char *begin;
    bool (*visit)(void *context, const char *file);
    void *context;
};

static int visit_meeting(void *context, const struct nsrun_entry *entry) {
    const struct round *round = context;
    return strncmp(entry->name, round->begin, strlen(round->begin)) == 0 && !round->visit(round->context, entry->name);
}

int nsrun_each_meeting(int folder, const char *begin, bool (*visit)(void *context, const char *file), void *context) {
    struct round round = {.begin = begin, .visit = visit, .context = context};
    const int error = nsrun_each_entry(folder, visit_meeting, &round);
    return error < 0 ? error : 0;
}

/// What one was met at that has been killed.
static bool sweep(void *context, const char *file) {
    const int *folder = context;
    const int fd = nsrun_meeting_socket();
    if (fd < 0)
        return false;
    if (nsrun_meet(fd, *folder, file) == -ECONNREFUSED)
        unlinkat(*folder, file, 0);
    close(fd);
    return true;
}

void nsrun_leave_meeting(int folder, const char *path, const char *file, ino_t socket) {
    const struct timespec moment = {.tv_nsec = 1000 * 1000};
    // Nobody makes another socket of that name as long as the lock is held. Whoever keeps it for a second is no friend.
    int rounds = 0;
    while (flock(folder, LOCK_EX | LOCK_NB) != 0 && rounds++ < 1000)
        nanosleep(&moment, NULL);
    struct stat there;
    if (fstatat(folder, file, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == socket)
        unlinkat(folder, file, 0);
    // Nor is any of a world bound that is not listened on yet.
    if (rounds < 1000)
        nsrun_each_meeting(folder, NSRUN_WORLD_FILES, sweep, &folder);
    rmdir(path);   // where nothing else is kept
}
