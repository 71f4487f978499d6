// SPDX-License-Identifier: Apache-2.0
//
// A network namespace starts with its loopback interface down, and with no route anywhere.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "executor.h"

enum { NSRUN_ROUTE_SIZE = INET6_ADDRSTRLEN + 4 };

int nsrun_loopback(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    // Raising IFF_UP is enough: the kernel gives lo its addresses by itself.
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    strcpy(request.ifr_name, "lo");
    int error = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

int nsrun_ask_routes(int fd, const void *request, size_t length) {
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer;
    ssize_t count = send(fd, request, length, 0);
    if (count >= 0)
        count = recv(fd, &answer, sizeof answer, 0);
    if (count < 0)
        return -errno;
    return count >= (ssize_t)NLMSG_LENGTH(sizeof answer.error) && answer.head.nlmsg_type == NLMSG_ERROR
               ? answer.error.error
               : -EPROTO;
}

/// Asks the kernel for a route to one destination, by which it answers that nobody is there (rtnetlink(7)).
static int forbid(int fd, const char *text) {
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
        struct rtattr attribute;
        unsigned char address[16];
    } request = {
        .head = {.nlmsg_type = RTM_NEWROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
        .route = {.rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_UNIVERSE,
                  .rtm_type = RTN_UNREACHABLE},
        .attribute = {.rta_type = RTA_DST},
    };
    const int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    const size_t length = family == AF_INET6 ? 16 : 4;
    char address[NSRUN_ROUTE_SIZE];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof address)
        return -EINVAL;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (inet_pton(family, address, request.address) != 1)
        return -EINVAL;
    request.route.rtm_family = (unsigned char)family;
    request.route.rtm_dst_len = (unsigned char)strtoul(slash + 1, NULL, 10);
    request.attribute.rta_len = (unsigned short)RTA_LENGTH(length);
    request.head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof request.route) + RTA_LENGTH(length));
    return nsrun_ask_routes(fd, &request, request.head.nlmsg_len);
}

int nsrun_forbid_addresses(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    const int fd = nsrun_result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    int error = fd < 0 ? fd : 0;
    for (size_t i = 0; step->list[i] != NULL && error == 0; i++)
        error = forbid(fd, step->list[i]);
    if (fd >= 0)
        close(fd);
    return error;
}
