// SPDX-License-Identifier: Apache-2.0
//
// Addresses with a port, for the two sides of a relay.

#define _GNU_SOURCE
#include "endpoint.h"

#include <netinet/in.h>
#include <string.h>

socklen_t nsrun_name_endpoint(const struct nsrun_endpoint *endpoint, struct sockaddr_storage *name) {
    memset(name, 0, sizeof *name);
    if (endpoint->version == 4) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&ipv4.sin_addr, endpoint->address, 4);
        memcpy(name, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    memcpy(&ipv6.sin6_addr, endpoint->address, 16);
    memcpy(name, &ipv6, sizeof ipv6);
    return sizeof ipv6;
}
