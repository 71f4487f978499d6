// SPDX-License-Identifier: Apache-2.0
//
// The addresses by which this host reaches itself, as the kernel's table of local routes has them (rtnetlink(7)).

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "include/host.h"
#include "syscalls.h"

/// Bytes of an address with the length of its prefix, and a NUL.
enum { NSRUN_ROUTE_SIZE = INET6_ADDRSTRLEN + 4 };

/// A local route's destination in words, as 10.0.0.1/32; not one that every network namespace has of its own.
static bool word_route(const struct nlmsghdr *head, char text[NSRUN_ROUTE_SIZE]) {
    const struct rtmsg *route = NLMSG_DATA(head);
    if (route->rtm_table != RT_TABLE_LOCAL
        || (route->rtm_type != RTN_LOCAL && route->rtm_type != RTN_ANYCAST))
        return false;
    int rest = (int)RTM_PAYLOAD(head);
    const struct rtattr *attribute = RTM_RTA(route);
    while (RTA_OK(attribute, rest) && attribute->rta_type != RTA_DST)
        attribute = RTA_NEXT(attribute, rest);
    const bool is_ipv4 = route->rtm_family == AF_INET;
    if (!RTA_OK(attribute, rest) || RTA_PAYLOAD(attribute) != (is_ipv4 ? 4 : 16))
        return false;
    const unsigned char *address = RTA_DATA(attribute);
    struct in6_addr ipv6;
    if (!is_ipv4)
        memcpy(&ipv6, address, sizeof ipv6);
    if (is_ipv4 ? address[0] == 127 : IN6_IS_ADDR_LOOPBACK(&ipv6) || IN6_IS_ADDR_LINKLOCAL(&ipv6))
        return false;
    if (inet_ntop(route->rtm_family, address, text, NSRUN_ROUTE_SIZE) == NULL)
        return false;
    const size_t length = strlen(text);
    snprintf(text + length, NSRUN_ROUTE_SIZE - length, "/%u", route->rtm_dst_len);
    return true;
}

/// Reads what the kernel answers to one request: 1 where more is to come.
static int visit_routes(const char *answer, ssize_t size, void (*visit)(void *, const char *), void *context) {
    unsigned rest = (unsigned)size;
    for (const struct nlmsghdr *head = (const void *)answer; NLMSG_OK(head, rest); head = NLMSG_NEXT(head, rest)) {
        if (head->nlmsg_type == NLMSG_DONE)
            return 0;
        if (head->nlmsg_type == NLMSG_ERROR)
            return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
        char text[NSRUN_ROUTE_SIZE];
        if (head->nlmsg_type == RTM_NEWROUTE && word_route(head, text))
            visit(context, text);
    }
    return 1;
}

int nsrun_each_own_address(void (*visit)(void *context, const char *route), void *context) {
    const struct {
        struct nlmsghdr head;
        struct rtmsg route;
    } request = {
        .head = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .route = {.rtm_family = AF_UNSPEC},
    };
    const int fd = nsrun_result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (fd < 0)
        return fd;
    int error = send(fd, &request, sizeof request, 0) < 0 ? -errno : 1;
    while (error == 1) {
        _Alignas(struct nlmsghdr) char answer[32768];
        const ssize_t size = recv(fd, answer, sizeof answer, 0);
        if (size < 0 && errno == EINTR)
            continue;
        error = size < 0 ? -errno : size == 0 ? -EPROTO : visit_routes(answer, size, visit, context);
    }
    close(fd);
    return error;
}
