// SPDX-License-Identifier: Apache-2.0
//
// Who keeps a prepared world: a process that does nothing but hold its user and its mount namespace, and hand copies of
// these two descriptors to the user's own launches.
//
// It is no part of the world: it stays in the namespaces of the caller, so that no run sees it, in a session of its own,
// with no file of the caller's open and every signal blocked. Whoever does not come from its own user and mount namespace is
// turned away when he connects: a run is in others, and is to have no descriptor of what others start from.
//
// It ends, and takes its socket along, when nobody has asked for the world for a while, when the root that it was made of
// has gone, when its socket has been taken away, and when the host's mounts have changed, for the world shows them as they
// were. Nothing is lost by its end, whenever that is: runs have namespaces of their own, and the next one makes a new world.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "include/io.h"
#include "passing.h"
#include "keeper.h"
#include "members.h"
#include "syscalls.h"

enum {
    LISTENER, MOUNTS, FIRST_GUEST,
    MOST_GUESTS = 32,   ///< who have connected and said nothing yet; the others wait in the queue
};

/// How often it looks whether its root and its socket are still there, in milliseconds.
static const int round_time = 1000;

struct keeper {
    const struct nsrun_keeping *keeping;
    struct pollfd fds[FIRST_GUEST + MOST_GUESTS];
    unsigned count;
    int proc;
    struct stat own_user, own_mount, socket, root;
    int namespaces[2];
    int64_t idle, until, look;   ///< the time of the last is for its root and its socket
    struct nsrun_card card;
};

static void leave(const struct keeper *k, int status) __attribute__((noreturn));

static void leave(const struct keeper *k, int status) {
    const struct nsrun_keeping *keeping = k->keeping;
    nsrun_leave_meeting(keeping->folder, keeping->key->folder, keeping->file, k->socket.st_ino);
    _exit(status);
}

static bool is_same(const struct stat *a, const struct stat *b) { return a->st_dev == b->st_dev && a->st_ino == b->st_ino; }

/// Whether it still can be found, and what it keeps is still of use.
static bool is_wanted(const struct keeper *k) {
    struct stat socket, root;
    return fstatat(k->keeping->folder, k->keeping->file, &socket, AT_SYMLINK_NOFOLLOW) == 0
           && socket.st_ino == k->socket.st_ino && stat(k->keeping->key->root, &root) == 0 && is_same(&root, &k->root);
}

/// Since the world was made something has been mounted or unmounted where its maker was (proc_pid_mounts(5)).
static bool has_other_mounts(const struct keeper *k) {
    struct pollfd mounts = k->fds[MOUNTS];
    return poll(&mounts, 1, 0) != 0;
}

static void let_in(struct keeper *k) {
    const int guest = accept4(k->fds[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (guest < 0)
        return;
    if (nsrun_check_peer(guest, k->proc, &k->own_user, &k->own_mount) == 0)
        k->fds[k->count++] = (struct pollfd){.fd = guest, .events = POLLIN};
    else
        close(guest);
}

static void answer(struct keeper *k, int guest) {
    struct nsrun_wish wish;
    if (recv(guest, &wish, sizeof wish, 0) != sizeof wish)
        return;
    switch ((enum nsrun_world_wish)wish.what) {
    case NSRUN_WISH_WORLD:
        // Who has asked finds the connection closed, and makes another.
        if (has_other_mounts(k) || !is_wanted(k))
            leave(k, 0);
        nsrun_send_descriptors(guest, "+", 1, k->namespaces, 2);
        k->idle = wish.idle;
        k->until = nsrun_now() + wish.idle;
        break;
    case NSRUN_WISH_CARD: nsrun_send_descriptors(guest, &k->card, sizeof k->card, k->namespaces, 1); break;
    case NSRUN_WISH_END: leave(k, 0);
    }
}

/// Nothing of the caller's stays with us.
static void withdraw(const struct nsrun_keeping *keeping) {
    prctl(PR_SET_NAME, "nsrun-reuse", 0, 0, 0);
    setsid();
    if (chdir("/") != 0)
        _exit(1);
    const int keep[] = {keeping->listener, keeping->maker, keeping->folder};
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    nsrun_close_others(keep, 3);
    // So that none of them is met by an error that is not meant for it.
    for (int fd = 0; fd <= 2; fd++)
        openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
}

/// Waits for the world. A maker that fails closes its end.
static void receive(struct keeper *k) {
    char byte;
    unsigned count = 2;
    struct pollfd maker = {.fd = k->keeping->maker, .events = POLLIN};
    if (poll(&maker, 1, (int)(nsrun_patience / 1000000)) != 1
        || nsrun_receive_descriptors(maker.fd, &byte, 1, k->namespaces, &count) != 1 || count != 2)
        leave(k, 1);
    close(maker.fd);
}

/// Until there is something to do that nobody asks for, in milliseconds.
static int time_left(const struct keeper *k) {
    const int64_t next = k->until < k->look ? k->until : k->look, left = (next - nsrun_now()) / 1000000 + 1;
    return left < 1 ? 0 : (int)left;
}

/// However many there are that ask.
static bool is_over(struct keeper *k) {
    const int64_t now = nsrun_now();
    if (now >= k->until)
        return true;
    if (now < k->look)
        return false;
    k->look = now + (int64_t)round_time * 1000000;
    return !is_wanted(k);
}

void nsrun_keep_world(const void *argument) {
    const struct nsrun_keeping *keeping = argument;
    static struct keeper k;
    withdraw(keeping);
    k.keeping = keeping;
    k.card = (struct nsrun_card){.pid = getpid(), .since = time(NULL)};
    strncpy(k.card.name, keeping->key->name, sizeof k.card.name - 1);
    strncpy(k.card.root, keeping->key->root, sizeof k.card.root - 1);
    if (keeping->key->note_length <= sizeof k.card.note && keeping->key->note_length > 0) {
        k.card.note_length = (uint32_t)keeping->key->note_length;
        memcpy(k.card.note, keeping->key->note, k.card.note_length);
    }
    k.proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    k.fds[LISTENER] = (struct pollfd){.fd = keeping->listener, .events = POLLIN};
    // Before the first of them is copied.
    k.fds[MOUNTS] = (struct pollfd){.fd = nsrun_open("/proc/self/mountinfo", O_RDONLY), .events = POLLPRI};
    if (fstatat(keeping->folder, keeping->file, &k.socket, AT_SYMLINK_NOFOLLOW) != 0
        || fstatat(k.proc, "self/ns/user", &k.own_user, 0) != 0
        || fstatat(k.proc, "self/ns/mnt", &k.own_mount, 0) != 0 || stat(keeping->key->root, &k.root) != 0
        || k.fds[MOUNTS].fd < 0 || listen(keeping->listener, 4096) != 0)
        leave(&k, 1);
    flock(keeping->folder, LOCK_UN);
    receive(&k);
    nsrun_note_namespace(&k.card.inside, k.namespaces[0], true);
    k.idle = keeping->idle;
    k.until = nsrun_now() + k.idle;
    k.count = FIRST_GUEST;
    for (;;) {
        const nfds_t count = k.count;
        k.fds[LISTENER].events = count < FIRST_GUEST + MOST_GUESTS ? POLLIN : 0;
        const int ready = poll(k.fds, count, time_left(&k));
        if (ready < 0 && errno != EINTR)
            leave(&k, 1);
        if (ready > 0 && k.fds[MOUNTS].revents != 0)
            leave(&k, 0);
        // From the last one, whose place another takes.
        for (unsigned i = (unsigned)count; ready > 0 && i-- > FIRST_GUEST;) {
            if (k.fds[i].revents == 0)
                continue;
            answer(&k, k.fds[i].fd);
            close(k.fds[i].fd);
            k.fds[i] = k.fds[--k.count];
        }
        if (ready > 0 && k.fds[LISTENER].revents != 0)
            let_in(&k);
        if (is_over(&k))
            leave(&k, 0);
    }
}
