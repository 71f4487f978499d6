// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include "include/nsrun.h"

/// AF_INET or AF_INET6.
static inline uint8_t nsrun_endpoint_family(const struct nsrun_endpoint *endpoint) {
    return endpoint->version == 4 ? AF_INET : AF_INET6;
}
/// The name of an endpoint as bind(2) and connect(2) take it, and its length.
socklen_t nsrun_name_endpoint(const struct nsrun_endpoint *endpoint, struct sockaddr_storage *name);
