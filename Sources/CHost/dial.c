// SPDX-License-Identifier: Apache-2.0
//
// Connects to a name by all of its addresses, as programs do that are not behind a relay (RFC 8305): another one is
// tried when the one before has failed or takes long, and the first that answers is it.

#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "relay.h"
#include "syscalls.h"

static const int64_t BETWEEN = 200 * 1000000ll, IN_ALL = 30 * 1000000000ll;   // nanoseconds

void nsrun_dial_begin(struct nsrun_dial *dial, const struct nsrun_route *route) {
    *dial = (struct nsrun_dial){.route = route, .due = nsrun_now() + IN_ALL};
    for (unsigned i = 0; i < NSRUN_MOST_ADDRESSES; i++)
        dial->sockets[i] = -1;
}

/// That there is no way to one address says less than what another one answers.
static void note(struct nsrun_dial *dial, int error) {
    if (dial->error == 0 || dial->error == -ENETUNREACH || dial->error == -EHOSTUNREACH)
        dial->error = error;
}

static int start(const struct nsrun_endpoint *endpoint) {
    struct sockaddr_storage name;
    const socklen_t length = nsrun_name_endpoint(endpoint, &name);
    const int fd = nsrun_result(socket(nsrun_endpoint_family(endpoint), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, length) == 0 || errno == EINPROGRESS)
        return fd;
    const int error = -errno;
    close(fd);
    return error;
}

int nsrun_dial_on(struct nsrun_dial *dial, int epoll, uint64_t token) {
    const int64_t now = nsrun_now();
    if (now >= dial->due)
        return -ETIMEDOUT;
    while (dial->tried < dial->route->count && (dial->pending == 0 || now >= dial->next)) {
        const unsigned number = dial->tried++;
        int fd = start(&dial->route->dialled[number]);
        struct epoll_event event = {.events = EPOLLOUT, .data.u64 = token | number};
        if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            const int error = -errno;
            close(fd);
            fd = error;
        }
        dial->next = now + BETWEEN;
        if (fd < 0) {
            note(dial, fd);
            continue;
        }
        dial->sockets[number] = fd;
        dial->pending++;
    }
    return dial->pending > 0 ? 0 : dial->error;
}

int nsrun_dial_look(struct nsrun_dial *dial, unsigned number) {
    const int fd = dial->sockets[number];
    int error = 0;
    socklen_t size = sizeof error;
    if (fd < 0)
        return -1;
    dial->sockets[number] = -1;
    dial->pending--;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0)
        return fd;
    note(dial, -error);
    close(fd);
    return -1;
}

void nsrun_dial_end(struct nsrun_dial *dial) {
    for (unsigned i = 0; i < dial->tried; i++) {
        if (dial->sockets[i] >= 0)
            close(dial->sockets[i]);
        dial->sockets[i] = -1;
    }
}
