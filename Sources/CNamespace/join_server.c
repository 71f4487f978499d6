// SPDX-License-Identifier: Apache-2.0
//
// The holder of a group of processes that share namespaces: a process that does nothing but keep
// descriptors of them, and hand copies to whoever joins.
//
// It is no part of the group. It stays in the namespaces of the caller, where no program of the group
// can look into it, in a session of its own, with no file of the caller's open and every signal blocked:
// nobody waits for its end, and no signal that is meant for a job reaches it. It lives as long as a
// member does, of which it has a descriptor each, and takes its socket along when it goes: whoever is killed and when,
// there is nothing to clean up. A socket that it leaves behind when it is killed itself is replaced by the next group.
//
// It answers processes of its own user namespace alone: what runs inside of another one, a command of this user's that
// is shut in, say, is not to have the namespaces of a group.

#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/io.h"
#include "join.h"
#include "keeper.h"
#include "meeting.h"
#include "passing.h"
#include "syscalls.h"

/// What an event is about, in the upper half of its data; the descriptor is in the lower one.
enum source { LISTENER, GUEST, LIFE };

struct keeper {
    const struct nsrun_holder *holder;
    ino_t socket;        ///< the inode of its name
    struct stat own_user;
    int epoll, listener, proc;
    unsigned members;
    time_t since;
    bool is_full;   ///< no descriptor is left for another guest
    struct nsrun_group group;
    int fds[NSRUN_GROUP_KINDS];
};

static bool watch(const struct keeper *k, int fd, enum source source) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | (unsigned)fd};
    return epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void forget(const struct keeper *k, int fd) {
    // By name: a descriptor that was sent may be open elsewhere, and would be watched on.
    epoll_ctl(k->epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static void let_in(struct keeper *k) {
    int guest = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (guest < 0) {
        if (errno == EMFILE || errno == ENFILE) {   // they wait until a member has ended
            k->is_full = true;
            epoll_ctl(k->epoll, EPOLL_CTL_DEL, k->listener, NULL);
        }
        return;
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    // Of another user nobody is answered. See check_holder() for the other direction.
    if (getsockopt(guest, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid()
        || !watch(k, guest, GUEST))
        close(guest);
}

/// For whoever lists what is kept.
static void show(const struct keeper *k, int guest) {
    struct nsrun_card card = {.pid = getpid(), .is_group = true, .since = k->since};
    strncpy(card.name, strchr(k->holder->file, ' ') + 1, sizeof card.name - 1);
    strncpy(card.root, k->group.root, sizeof card.root - 1);
    send(guest, &card, sizeof card, MSG_NOSIGNAL);
    forget(k, guest);
}

/// A guest says hello, with a descriptor of its process where the kernel has such, and is a member.
static void welcome(struct keeper *k, int guest) {
    char greeting;
    int life = -1;
    unsigned count = 1;
    const bool is_ours =
        nsrun_check_peer(guest, k->proc, &k->own_user, NULL) == 0
        && nsrun_receive_descriptors(guest, &greeting, sizeof greeting, &life, &count) > 0;
    if (is_ours && greeting == NSRUN_WISH_CARD) {
        show(k, guest);
        return;
    }
    const bool is_there = is_ours && nsrun_send_descriptors(guest, &k->group, sizeof k->group, k->fds, k->group.count) == 0;
    if (is_there && life >= 0 && watch(k, life, LIFE)) {
        k->members++;
        forget(k, guest);
        return;
    }
    if (life >= 0)
        close(life);
    if (is_there && life < 0) {
        // It keeps the connection instead.
        struct epoll_event event = {.events = EPOLLIN,
                                    .data.u64 = (uint64_t)LIFE << 32 | (unsigned)guest};
        if (epoll_ctl(k->epoll, EPOLL_CTL_MOD, guest, &event) == 0) {
            k->members++;
            return;
        }
    }
    forget(k, guest);
}

/// Who is just coming finds the connection closed, and is the first of another group.
static void leave(const struct keeper *k, int status) __attribute__((noreturn));

static void leave(const struct keeper *k, int status) {
    const struct nsrun_holder *holder = k->holder;
    nsrun_leave_meeting(holder->folder, holder->folder_path, holder->file, k->socket);
    _exit(status);
}

static void see_off(struct keeper *k, int life) {
    forget(k, life);
    if (--k->members == 0)
        leave(k, 0);
    if (k->is_full)
        k->is_full = !watch(k, k->listener, LISTENER);
}

/// Nothing of the caller's stays with us.
static void withdraw(const struct nsrun_holder *holder) {
    prctl(PR_SET_NAME, "nsrun-join", 0, 0, 0);
    setsid();
    if (chdir("/") != 0)
        _exit(1);
    // All of them are above the standard ones.
    const int keep[] = {holder->listener, holder->leader, holder->folder, holder->life};
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    nsrun_close_others(keep, holder->life >= 0 ? 4 : 3);
    struct rlimit limit;   // a descriptor a member
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void nsrun_hold(const void *argument) {
    const struct nsrun_holder *holder = argument;
    static struct keeper k;
    withdraw(holder);
    k.holder = holder;
    k.since = time(NULL);
    k.listener = holder->listener;
    struct stat own;
    if (fstatat(holder->folder, holder->file, &own, AT_SYMLINK_NOFOLLOW) == 0)
        k.socket = own.st_ino;
    // Not before: those who connect learn the pid of who listens. Until the group stands they wait
    // in the queue, and if that never happens the queue goes with us.
    k.proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    if (fstatat(k.proc, "self/ns/user", &k.own_user, 0) != 0 || listen(k.listener, 4096) != 0)
        leave(&k, 1);
    flock(holder->folder, LOCK_UN);
    unsigned count = NSRUN_GROUP_KINDS;
    if (nsrun_receive_descriptors(holder->leader, &k.group, sizeof k.group, k.fds, &count)
            != sizeof k.group
        || count != k.group.count)
        leave(&k, 1);
    k.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (k.epoll < 0 || !watch(&k, holder->life >= 0 ? holder->life : holder->leader, LIFE)
        || !watch(&k, k.listener, LISTENER))
        leave(&k, 1);
    k.members = 1;
    if (holder->life >= 0)
        close(holder->leader);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(k.epoll, &event, 1, -1) != 1)
            continue;
        const int fd = (int)(uint32_t)event.data.u64;
        switch ((enum source)(event.data.u64 >> 32)) {
        case LISTENER:
            let_in(&k);
            break;
        case GUEST:
            welcome(&k, fd);
            break;
        case LIFE:
            see_off(&k, fd);
            break;
        }
    }
}
