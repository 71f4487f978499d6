// SPDX-License-Identifier: Apache-2.0
//
// Whether a port of the host's is free.

#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/socket.h>

#include "include/host.h"

/// Takes the port at all addresses of a family, as a server would, and gives it back.
static int try_address(const struct sockaddr *address, socklen_t size) {
    const int one = 1;
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : -errno;
    int error = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (error == 0 && address->sa_family == AF_INET6)
        error = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (error == 0)
        error = bind(fd, address, size);
    if (error != 0)
        error = -errno;
    close(fd);
    // IPv6 may be there and switched off.
    return error == -EADDRNOTAVAIL ? 0 : error;
}

int nsrun_try_port(uint16_t port) {
    const struct sockaddr_in old = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct sockaddr_in6 new = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const int error = try_address((const struct sockaddr *)&old, sizeof old);
    return error != 0 ? error : try_address((const struct sockaddr *)&new, sizeof new);
}
