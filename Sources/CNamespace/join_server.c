// SPDX-License-Identifier: Apache-2.0
//
// The holder of a group of processes that share namespaces: a process that does nothing but keep
// descriptors of them, and hand copies to whoever joins.
//
// It is no part of the group. It stays in the namespaces of the caller, where no program of the group
// can look into it, in a session of its own, with no file of the caller's open and every signal blocked:
// nobody waits for its end, and no signal that is meant for a job reaches it. It lives as long as a
// member does, of which it has a descriptor each, or what one has left behind, and takes its socket along when it goes: whoever is killed and when,
// there is nothing to clean up. A socket that it leaves behind when it is killed itself is replaced by the next group.
//
// It answers processes of its own user namespace alone: what runs inside of another one, a command of this user's that
// is shut in, say, is not to have the namespaces of a group.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
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
#include "members.h"
#include "passing.h"
#include "syscalls.h"

/// How often it looks whether what members have left behind is still there, in milliseconds.
static const int round_time = 200;

/// What an event is about, in the upper half of its data; the descriptor is in the lower one.
enum source { LISTENER, GUEST, LIFE };

struct keeper {
    const struct nsrun_holder *holder;
    ino_t socket;        ///< the inode of its name
    struct stat own_user;
    int epoll, listener, proc;
    unsigned members;
    bool is_full;   ///< no descriptor is left for another guest
    struct nsrun_card card;
    int inside;   ///< of the descriptors that of the namespace by which its processes are told
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
static void write_card(struct keeper *k) {
    struct nsrun_card *card = &k->card;
    *card = (struct nsrun_card){.pid = getpid(), .is_group = true, .since = time(NULL)};
    strncpy(card->name, k->holder->name, sizeof card->name - 1);
    strncpy(card->root, k->group.root, sizeof card->root - 1);
    card->note_length = (uint32_t)k->holder->note_length;
    if (card->note_length > 0)
        memcpy(card->note, k->holder->note, card->note_length);
    for (unsigned i = 0; i < k->group.count && !card->inside.is_user; i++)
        if (k->group.kinds[i] == CLONE_NEWUSER || k->group.kinds[i] == CLONE_NEWNS)
            nsrun_note_namespace(&card->inside, k->fds[k->inside = (int)i], k->group.kinds[i] == CLONE_NEWUSER);
}

static void show(const struct keeper *k, int guest) {
    nsrun_send_descriptors(guest, &k->card, sizeof k->card, k->fds + k->inside, 1);
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
    // Whoever finds no socket finds nothing mounted on the layer either, and no lock.
    for (unsigned i = 0; i < k->group.count; i++)
        close(k->fds[i]);
    if (holder->layer >= 0)
        close(holder->layer);
    nsrun_leave_meeting(holder->folder, holder->folder_path, holder->file, k->socket);
    _exit(status);
}

/// What members have left behind is of the group, too: it is in its namespaces, and on its layer.
static void leave_when_empty(const struct keeper *k) {
    if (k->members == 0 && !nsrun_has_members(k->proc, &k->card.inside))
        leave(k, 0);
}

static void see_off(struct keeper *k, int life) {
    forget(k, life);
    --k->members;
    leave_when_empty(k);
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
    int keep[5] = {holder->listener, holder->leader, holder->folder};
    size_t count = 3;
    if (holder->life >= 0)
        keep[count++] = holder->life;
    if (holder->layer >= 0)
        keep[count++] = holder->layer;
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    nsrun_close_others(keep, count);
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
    write_card(&k);
    k.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (k.epoll < 0 || !watch(&k, holder->life >= 0 ? holder->life : holder->leader, LIFE)
        || !watch(&k, k.listener, LISTENER))
        leave(&k, 1);
    k.members = 1;
    if (holder->life >= 0)
        close(holder->leader);
    for (;;) {
        struct epoll_event event;
        // Nobody tells of the end of what was left behind.
        const int ready = epoll_wait(k.epoll, &event, 1, k.members == 0 ? round_time : -1);
        if (ready == 0)
            leave_when_empty(&k);
        if (ready != 1)
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
