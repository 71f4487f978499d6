// SPDX-License-Identifier: Apache-2.0
//
// Messages with descriptors in them, and whom a socket leads to (unix(7)).
#pragma once

#include <sys/types.h>

enum { NSRUN_MOST_DESCRIPTORS = 16 };   ///< in a message

/// Sends a message of at least one byte, and descriptors with it (unix(7), SCM_RIGHTS). 0 or a negative errno.
int nsrun_send_descriptors(int socket, const void *data, size_t size, const int *fds, unsigned count);
/// Receives one. The number of bytes, 0 at the end, or a negative errno; `count` is the room for
/// descriptors, then how many came. What does not fit is closed.
ssize_t nsrun_receive_descriptors(int socket, void *data, size_t size, int *fds, unsigned *count);
/// The process that a socket was connected or listened by, as a descriptor (Linux 6.5); -ESRCH if it is gone, -1 where
/// the kernel does not tell.
int nsrun_peer(int socket);
