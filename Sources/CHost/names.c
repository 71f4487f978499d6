// SPDX-License-Identifier: Apache-2.0
//
// The addresses of a name, as the C library finds them: by /etc/hosts and the servers of /etc/resolv.conf, and in a
// static program by nothing else.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "include/host.h"

static int code(int answer) {
    switch (answer) {
    case 0: return 0;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return -ENOENT;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return errno != 0 ? -errno : -EIO;
    default: return -EIO;
    }
}

int nsrun_resolve(const char *name, void (*visit)(void *context, const struct nsrun_endpoint *), void *context) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    int answer = getaddrinfo(name, NULL, &hints, &found);
    const bool is_address = answer == 0;
    if (!is_address) {
        hints.ai_flags = 0;
        errno = 0;
        answer = getaddrinfo(name, NULL, &hints, &found);
    }
    if (answer != 0)
        return code(answer);
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        struct nsrun_endpoint endpoint = {.version = one->ai_family == AF_INET ? 4 : 6};
        if (one->ai_family == AF_INET)
            memcpy(endpoint.address, &((const struct sockaddr_in *)one->ai_addr)->sin_addr, 4);
        else if (one->ai_family == AF_INET6)
            memcpy(endpoint.address, &((const struct sockaddr_in6 *)one->ai_addr)->sin6_addr, 16);
        else
            continue;
        visit(context, &endpoint);
    }
    freeaddrinfo(found);
    return is_address ? 1 : 0;
}

void nsrun_word_address(const struct nsrun_endpoint *endpoint, char text[NSRUN_ADDRESS_SIZE]) {
    if (inet_ntop(nsrun_endpoint_family(endpoint), endpoint->address, text, NSRUN_ADDRESS_SIZE) == NULL)
        text[0] = '\0';
}
