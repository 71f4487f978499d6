// SPDX-License-Identifier: Apache-2.0
//
// The relay: the process through which a run reaches the servers that it may reach, and nothing else.
//
// The run has a network of its own, whose loopback interface has the addresses of these servers (CNamespace's relay.c).
// The relay is in the host's network, as the user. It gets the run's listeners; what is connected to one of them it
// connects to the server that this stands for, and hands on what either says. It opens nothing for the run: that it is
// there is all that the run has, and when it is gone, so is everything.
//
// It is nobody's child, as the server of an image is, and ends with the run: what that had sent still goes out. A filter
// lets it do what relaying takes, and Landlock reach no file and no other port. One thread waits for everything.

#define _GNU_SOURCE
#include "relay.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "detached.h"
#include "landlock.h"
#include "passing.h"
#include "syscalls.h"

enum {
    MOST_CONNECTIONS = 1024,
    PER_CONNECTION = 8,   ///< descriptors, at most but for a moment
    OTHERS = 64,
    AT_ONCE = 64,         ///< events, and connections taken from one listener
};
static const int64_t AFTER_RUN = 5 * 1000000000ll, PAUSE = 100 * 1000000ll;   // nanoseconds

/// Whom an event is of: a generation, the number of a connection or listener, one of these, and a number.
enum whom { LIFE, DOORS, END, ATTEMPT };
static uint64_t token(uint32_t generation, unsigned number, enum whom whom) {
    return (uint64_t)generation << 32 | (uint64_t)number << 16 | (uint64_t)whom << 8;
}

struct connection {
    const struct nsrun_route *route;   ///< NULL where there is none
    uint32_t generation;               ///< tells events from those of the one before
    bool is_dialling;
    struct nsrun_stream stream;
    struct nsrun_dial dial;
};

struct start {
    const struct nsrun_relay *relay;
    int socket, life, errors;
    struct sock_fprog filter;
};

static struct {
    const struct nsrun_relay *relay;
    int epoll, doors;          ///< the listeners have an epoll of their own, by which all of them are heeded or none
    int life;
    struct connection *connections;
    unsigned capacity, used, live, dialling;
    bool is_closed;            ///< no connection is taken,
    int64_t open_again;        ///< before this time; 0 for when one has ended
    int64_t due;               ///< the run has ended, and when the relay does; 0 before that
} r;

static void say_unreachable(const struct nsrun_route *route, int error) {
    const char *reason = "it cannot be connected";
    for (unsigned i = 0; r.relay->reasons[i] != NULL; i++)
        if (r.relay->codes[i] == -error)
            reason = r.relay->reasons[i];
    const char *const parts[] = {r.relay->prefix, "cannot reach ", route->name, ": ", reason, "\n"};
    char text[1024];
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const size_t size = strlen(parts[i]);
        if (size > sizeof text - length)
            return;
        memcpy(text + length, parts[i], size);
        length += size;
    }
    // Who does not read does not keep the others waiting.
    struct pollfd errors = {.fd = 2, .events = POLLOUT};
    if (poll(&errors, 1, 0) == 1 && (errors.revents & POLLOUT))
        nsrun_write_all(2, text, length);
}

// MARK: Connections

static void heed_doors(bool heeded) {
    struct epoll_event event = {.events = heeded ? EPOLLIN : 0, .data.u64 = token(0, 0, DOORS)};
    epoll_ctl(r.epoll, EPOLL_CTL_MOD, r.doors, &event);
    r.is_closed = !heeded;
    r.open_again = 0;
}

static void finish(struct connection *c, bool broken) {
    if (c->is_dialling) {
        nsrun_dial_end(&c->dial);
        r.dialling--;
    }
    nsrun_stream_close(&c->stream, broken);
    c->route = NULL;
    c->generation++;
    r.live--;
    if (r.is_closed && r.due == 0)
        heed_doors(true);
}

static void move(struct connection *c, uint64_t mark) {
    const int state = nsrun_stream_move(&c->stream);
    // Nobody is left to hear an answer when the run has ended.
    if (state < 0 || state == NSRUN_STREAM_HAS_ENDED || (r.due != 0 && c->stream.ways[0].has_told))
        return finish(c, state < 0);
    if (state != NSRUN_STREAM_HAS_MORE)
        return;
    // To be told once more.
    for (unsigned i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = mark | i};
        epoll_ctl(r.epoll, EPOLL_CTL_MOD, c->stream.ends[i], &event);
    }
}

/// A server has answered.
static void join(struct connection *c, int server) {
    const unsigned number = (unsigned)(c - r.connections);
    c->is_dialling = false;
    r.dialling--;
    nsrun_dial_end(&c->dial);
    c->stream.ends[1] = server;
    const int on = 1;
    for (unsigned i = 0; i < 2; i++) {
        setsockopt(c->stream.ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.u64 = token(c->generation, number, END) | i};
        epoll_ctl(r.epoll, EPOLL_CTL_MOD, c->stream.ends[i], &event);
    }
    move(c, token(c->generation, number, END));
}

static void dial_on(struct connection *c) {
    const unsigned number = (unsigned)(c - r.connections);
    const int error = nsrun_dial_on(&c->dial, r.epoll, token(c->generation, number, ATTEMPT));
    if (error == 0)
        return;
    say_unreachable(c->route, error);
    finish(c, true);
}

static void begin(int guest, const struct nsrun_route *route) {
    unsigned number = 0;
    while (r.connections[number].route != NULL)
        number++;
    if (number >= r.used)
        r.used = number + 1;
    struct connection *c = &r.connections[number];
    c->route = route;
    c->stream = (struct nsrun_stream){.ends = {guest, -1}};
    c->is_dialling = true;
    r.live++;
    r.dialling++;
    nsrun_dial_begin(&c->dial, route);
    // Only that it is broken is of interest by now.
    struct epoll_event event = {.events = EPOLLET, .data.u64 = token(c->generation, number, END)};
    if (epoll_ctl(r.epoll, EPOLL_CTL_ADD, guest, &event) != 0)
        return finish(c, true);
    dial_on(c);
}

static void take(int door, const struct nsrun_route *route) {
    for (int i = 0; i < AT_ONCE; i++) {
        if (r.live == r.capacity)
            return heed_doors(false);
        const int guest = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (guest >= 0) {
            begin(guest, route);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            heed_doors(false);
            r.open_again = nsrun_now() + PAUSE;
        }
        return;
    }
}

// MARK: Events

static void end_run(void) {
    r.due = nsrun_now() + AFTER_RUN;
    r.is_closed = true;
    epoll_ctl(r.epoll, EPOLL_CTL_DEL, r.life, NULL);
    close(r.doors);
    for (unsigned i = 0; i < r.relay->count; i++)
        close(r.relay->doors[i]);
    for (unsigned i = 0; i < r.used; i++)
        if (r.connections[i].route != NULL && !r.connections[i].is_dialling)
            move(&r.connections[i], token(r.connections[i].generation, i, END));
}

static void heed(const struct epoll_event *event) {
    const uint64_t whom = event->data.u64;
    const unsigned number = whom >> 16 & 0xffff, part = whom & 0xff;
    struct connection *c = &r.connections[number];
    switch ((enum whom)(whom >> 8 & 0xff)) {
    case LIFE: return end_run();
    case DOORS:
        if (!r.is_closed) {
            struct epoll_event open[AT_ONCE];
            const int count = epoll_wait(r.doors, open, AT_ONCE, 0);
            for (int i = 0; i < count && !r.is_closed; i++)
                take(r.relay->doors[open[i].data.u32], &r.relay->routes[open[i].data.u32]);
        }
        return;
    case END:
        if (c->route == NULL || c->generation != whom >> 32)
            return;
        if (c->is_dialling)
            return event->events & (EPOLLERR | EPOLLHUP) ? finish(c, true) : (void)0;
        if (event->events & EPOLLERR) {
            int error = 0;
            socklen_t size = sizeof error;
            if (getsockopt(c->stream.ends[part], SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
                return finish(c, true);
        }
        return move(c, whom & ~0xffull);
    case ATTEMPT:
        if (c->route == NULL || c->generation != whom >> 32 || !c->is_dialling)
            return;
        const int server = nsrun_dial_look(&c->dial, part);
        if (server >= 0)
            join(c, server);
        else
            dial_on(c);
    }
}

/// What is due, and the nanoseconds until something is; -1 for never.
static int64_t keep_time(void) {
    int64_t next = r.due;
    if (r.dialling > 0)
        for (unsigned i = 0; i < r.used; i++) {
            struct connection *c = &r.connections[i];
            if (c->route != NULL && c->is_dialling && nsrun_now() >= (c->dial.next < c->dial.due ? c->dial.next : c->dial.due))
                dial_on(c);
            if (c->route == NULL || !c->is_dialling)
                continue;
            const bool has_another = c->dial.tried < c->route->count;
            const int64_t then = has_another && c->dial.next < c->dial.due ? c->dial.next : c->dial.due;
            next = next == 0 || then < next ? then : next;
        }
    if (r.is_closed && r.open_again != 0 && r.due == 0) {
        if (nsrun_now() >= r.open_again)
            heed_doors(true);
        else
            next = next == 0 || r.open_again < next ? r.open_again : next;
    }
    const int64_t left = next - nsrun_now();
    return next == 0 ? -1 : left < 0 ? 0 : left;
}

static void relay(void) {
    while (r.due == 0 || (r.live > 0 && nsrun_now() < r.due)) {
        const int64_t left = keep_time();
        struct epoll_event events[AT_ONCE];
        const int count = epoll_wait(r.epoll, events, AT_ONCE, left < 0 ? -1 : (int)(left / 1000000 + 1));
        for (int i = 0; i < count; i++)
            heed(&events[i]);
    }
}

// MARK: Start

/// Takes what the run sends. 0 when that is all, or a negative errno.
static int take_doors(int socket) {
    for (unsigned i = 0; i < r.relay->count; i++)
        r.relay->doors[i] = -1;
    for (;;) {
        int32_t what;
        int fd = -1;
        unsigned count = 1;
        if (nsrun_receive_descriptors(socket, &what, sizeof what, &fd, &count) != sizeof what)
            return -EPIPE;
        if (what == NSRUN_RELAY_ALL)
            return r.life < 0 ? -EPROTO : 0;
        if (fd < 0 || what < NSRUN_RELAY_LIFE || what >= (int32_t)r.relay->count)
            return -EPROTO;
        *(what == NSRUN_RELAY_LIFE ? &r.life : &r.relay->doors[what]) = fd;
    }
}

static int prepare(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return -errno;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const rlim_t others = OTHERS + r.relay->count;
    const rlim_t most = files.rlim_cur < others ? 0 : (files.rlim_cur - others) / PER_CONNECTION;
    if (most == 0)
        return -EMFILE;
    r.capacity = most < MOST_CONNECTIONS ? (unsigned)most : MOST_CONNECTIONS;
    r.connections = mmap(NULL, r.capacity * sizeof *r.connections, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r.connections == MAP_FAILED)
        return -ENOMEM;
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    r.doors = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event life = {.events = EPOLLIN, .data.u64 = token(0, 0, LIFE)};
    struct epoll_event doors = {.events = EPOLLIN, .data.u64 = token(0, 0, DOORS)};
    if (r.epoll < 0 || r.doors < 0 || epoll_ctl(r.epoll, EPOLL_CTL_ADD, r.life, &life) != 0
        || epoll_ctl(r.epoll, EPOLL_CTL_ADD, r.doors, &doors) != 0)
        return -errno;
    for (unsigned i = 0; i < r.relay->count; i++) {
        struct epoll_event door = {.events = EPOLLIN, .data.u32 = i};
        if (r.relay->doors[i] >= 0 && epoll_ctl(r.doors, EPOLL_CTL_ADD, r.relay->doors[i], &door) != 0)
            return -errno;
    }
    return 0;
}

/// No file, no port but those, and nobody's signals and sockets (landlock(7)), where the kernel can: the filter is the
/// wall, and this another one.
static int wall_off(void) {
    const int version = nsrun_landlock_version();
    if (version < 1)
        return 0;
    struct nsrun_landlock forbidden = nsrun_landlock_others(version);
    forbidden.files = NSRUN_LANDLOCK_FILES | nsrun_landlock_newer_changes(version);
    const int rules = nsrun_landlock_rules(&forbidden);
    int error = rules < 0 ? rules : 0;
    for (unsigned i = 0; i < r.relay->count && version >= 4 && error == 0; i++) {
        const struct {
            uint64_t access, port;
        } rule = {.access = NSRUN_LANDLOCK_CONNECT_PORT, .port = r.relay->routes[i].listen.port};
        error = nsrun_landlock_allow(rules, NSRUN_LANDLOCK_PORT, &rule);
    }
    if (error < 0) {
        if (rules >= 0)
            close(rules);
        return error;
    }
    error = nsrun_landlock_restrict(rules);
    return error == -E2BIG ? 0 : error;
}

__attribute__((noreturn)) static void serve(const void *argument) {
    const struct start *start = argument;
    r.relay = start->relay;
    r.life = -1;
    // The last is for its own end to be noticed.
    const int keep[] = {start->socket, start->life};
    if (nsrun_settle_beside(-1, start->errors, keep, 2) < 0 || take_doors(start->socket) < 0)
        _exit(0);
    prctl(PR_SET_NAME, "nsrun-relay", 0, 0, 0);
    // No run can look into it, not even one that sees the host's processes.
    int32_t error = nsrun_result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    if (error == 0)
        error = prepare();
    if (error == 0)
        error = nsrun_result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (error == 0)
        error = wall_off();
    if (error == 0)
        error = nsrun_result(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &start->filter, 0, 0));
    // By write(2), which the filter allows.
    nsrun_write_all(start->socket, (const char *)&error, sizeof error);
    if (error == 0)
        relay();
    _exit(0);
}

int nsrun_start_relay(const struct nsrun_relay *relay, int *socket, int *life) {
    int pair[2], ends[2];
    struct sock_filter filter[512];
    const ssize_t size = nsrun_make_filter(NSRUN_FILTER_RELAY, (char *)filter, sizeof filter);
    if (size < 0)
        return (int)size;
    int error = nsrun_socket_pair(pair);
    if (error < 0)
        return error;
    error = nsrun_pipe(ends);
    if (error < 0) {
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    // The caller may have closed it.
    int errors = nsrun_result(fcntl(relay->errors, F_DUPFD_CLOEXEC, 3));
    if (errors < 0)
        errors = nsrun_above_standard(nsrun_open("/dev/null", O_WRONLY));
    const struct start start = {.relay = relay, .socket = pair[1], .life = ends[1], .errors = errors,
                                .filter = {.len = (unsigned short)((size_t)size / sizeof(struct sock_filter)),
                                           .filter = filter}};
    error = errors < 0 ? errors : nsrun_start_beside(serve, &start);
    close(pair[1]);
    close(ends[1]);
    if (errors >= 0)
        close(errors);
    if (error < 0) {
        close(pair[0]);
        close(ends[0]);
        return error;
    }
    *socket = pair[0];
    *life = ends[0];
    return 0;
}
