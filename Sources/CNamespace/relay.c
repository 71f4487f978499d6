// SPDX-License-Identifier: Apache-2.0
//
// Where a run's network listens for the relay outside of it (CHost's relay.c): every address that is to be reached is
// the loopback interface's, so that it is there and no other is, and who has the listeners takes what is connected to
// them. The network is the run's own, which therefore may have any port.

#define _GNU_SOURCE
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "executor.h"
#include "passing.h"

enum {
    LOOPBACK = 1,      ///< the number of that interface in every network namespace
    MOST_WAIT = 4096,  ///< connections that the relay has not taken yet; the kernel's own bound
};

static bool is_of_loopback(const struct nsrun_endpoint *endpoint) {
    static const uint8_t own[16] = {[15] = 1};
    return endpoint->version == 4 ? endpoint->address[0] == 127 : memcmp(endpoint->address, own, sizeof own) == 0;
}

/// Gives the loopback interface an address, unless it has that.
static int add_address(int control, const struct nsrun_endpoint *endpoint) {
    const size_t length = endpoint->version == 4 ? 4 : 16;
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg message;
        struct rtattr attribute;
        unsigned char address[16];
    } request = {
        .head = {.nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
                 .nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof request.message) + RTA_LENGTH(length))},
        // Nobody else can have it: it need not be asked for before it is used.
        .message = {.ifa_family = nsrun_endpoint_family(endpoint), .ifa_prefixlen = (uint8_t)(length * 8), .ifa_flags = IFA_F_NODAD,
                    .ifa_scope = RT_SCOPE_HOST, .ifa_index = LOOPBACK},
        .attribute = {.rta_type = IFA_LOCAL, .rta_len = (unsigned short)RTA_LENGTH(length)},
    };
    memcpy(request.address, endpoint->address, length);
    const int error = nsrun_ask_routes(control, &request, request.head.nlmsg_len);
    return error == -EEXIST ? 0 : error;
}

static int listen_at(const struct nsrun_endpoint *endpoint) {
    struct sockaddr_storage name;
    const socklen_t length = nsrun_name_endpoint(endpoint, &name);
    const int fd = nsrun_result(socket(nsrun_endpoint_family(endpoint), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&name, length) != 0 || listen(fd, MOST_WAIT) != 0) {
        const int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/// What a kernel says that has no IPv6, or none in this network.
static bool is_without(int error) {
    return error == -EAFNOSUPPORT || error == -EOPNOTSUPP || error == -EACCES || error == -EPERM
           || error == -EADDRNOTAVAIL;
}

/// Hands a descriptor over, and gives it up.
static int hand_over(int relay, int32_t what, int fd) {
    if (fd < 0)
        return fd;
    const int error = nsrun_send_descriptors(relay, &what, sizeof what, &fd, 1);
    close(fd);
    return error;
}

static int open_door(int relay, int control, int32_t number, const struct nsrun_endpoint *endpoint) {
    const int error = is_of_loopback(endpoint) ? 0 : add_address(control, endpoint);
    const int fd = error < 0 ? error : listen_at(endpoint);
    return endpoint->is_optional && is_without(fd) ? 0 : hand_over(relay, number, fd);
}

/// What the relay makes of it: 0 or a negative errno.
static int await_relay(int relay) {
    int32_t answer;
    ssize_t count;
    do {
        count = recv(relay, &answer, sizeof answer, 0);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count == sizeof answer ? answer : -EPIPE;
}

int nsrun_relay(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    const struct nsrun_endpoint *endpoints = (const void *)step->data;
    const size_t count = step->length / sizeof *endpoints;
    const int32_t all = NSRUN_RELAY_ALL;
    const int control = nsrun_result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    // This is the run's first process, with which the relay ends.
    int error = control < 0 ? control : hand_over(step->fd, NSRUN_RELAY_LIFE, nsrun_process_descriptor(getpid()));
    for (size_t i = 0; i < count && error == 0; i++)
        error = open_door(step->fd, control, (int32_t)i, &endpoints[i]);
    if (error == 0)
        error = nsrun_send_descriptors(step->fd, &all, sizeof all, NULL, 0);
    if (error == 0)
        error = await_relay(step->fd);
    if (control >= 0)
        close(control);
    close(step->fd);
    return error;
}
