// SPDX-License-Identifier: Apache-2.0
//
// What is said to a process that keeps a world.
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "include/reuse.h"
#include "meeting.h"

enum nsrun_world_wish {
    NSRUN_WISH_WORLD = 'w',   ///< its namespaces, with an answer of one byte
    NSRUN_WISH_CARD = 'c',    ///< a struct nsrun_card, and the namespace in it; who keeps a group gives them as well
    NSRUN_WISH_END = 'e',     ///< nothing: it ends, and with it the connection
};

struct nsrun_wish {
    uint32_t what;
    int64_t idle;   ///< nanoseconds
};

/// What the process gets that keeps a world.
struct nsrun_keeping {
    int listener;   ///< bound, not listening yet
    int maker;      ///< from where the namespaces come
    int folder;     ///< where the socket lies, locked until the listener listens
    int64_t idle;
    const struct nsrun_world_key *key;
    char file[NSRUN_MEETING_FILE];
};

/// Keeps a world until nobody has asked for it for a while. For a process of its own; takes a `struct nsrun_keeping`.
void nsrun_keep_world(const void *keeping) __attribute__((noreturn));
