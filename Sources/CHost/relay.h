// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the relay know of each other: see relay.c. Nothing is allocated, and no lock is taken, for the
// relay is a copy of a process that may have had other threads.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/host.h"

// stream.c: what one socket gives the other gets, both ways.

struct nsrun_way {
    int pipe[2];   ///< what is on its way; there is one only then
    size_t held;   ///< bytes in it
    bool has_pipe;
    bool has_ended;    ///< the sender has said so,
    bool has_told;     ///< and the receiver been told
};

struct nsrun_stream {
    int ends[2];   ///< the run's, and the server's, -1 before there is one
    struct nsrun_way ways[2];   ///< each from the end of the same number
};

enum { NSRUN_STREAM_WAITS, NSRUN_STREAM_HAS_MORE, NSRUN_STREAM_HAS_ENDED };

/// Moves what there is. One of the above, or a negative errno: the connection is broken.
int nsrun_stream_move(struct nsrun_stream *stream);
/// Closes both ends; `broken`: so that they notice (RST).
void nsrun_stream_close(struct nsrun_stream *stream, bool broken);

// dial.c: the addresses of a name are tried one after the other, and none waits for the one before to fail.

struct nsrun_dial {
    const struct nsrun_route *route;
    int sockets[NSRUN_MOST_ADDRESSES];   ///< -1 for those that are not being tried
    unsigned tried, pending;
    int error;             ///< what is said of it if none answers
    int64_t next, due;     ///< when another one is tried, and when all is over: as nsrun_now()
};

void nsrun_dial_begin(struct nsrun_dial *dial, const struct nsrun_route *route);
/// Tries what is to be tried by now; each attempt is registered with `epoll` by `token` and its number. 0, or a negative
/// errno where there is nothing left to wait for.
int nsrun_dial_on(struct nsrun_dial *dial, int epoll, uint64_t token);
/// Looks at an attempt of which something is told: its socket if that is connected, else -1.
int nsrun_dial_look(struct nsrun_dial *dial, unsigned number);
/// Gives up all attempts but the one that was taken.
void nsrun_dial_end(struct nsrun_dial *dial);
