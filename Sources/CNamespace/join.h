// SPDX-License-Identifier: Apache-2.0
//
// Processes that share one set of namespaces: what they say to the one that keeps it. See join.c.
#pragma once

#include <stdint.h>

#include "meeting.h"

enum {
    NSRUN_GROUP_KINDS = 9,    ///< namespaces at most: one of each kind, and a user namespace below the first
    NSRUN_GROUP_ROOT = 512,   ///< bytes of the root's name
    NSRUN_GROUP_STEPS = 8192, ///< bytes of the steps in words
};

/// What a group is, sent with a descriptor for each of its namespaces.
struct nsrun_group {
    uint64_t digest;   ///< of the steps that set it up
    uint32_t count;    ///< of namespaces
    uint32_t kinds[NSRUN_GROUP_KINDS];   ///< CLONE_NEW* of each, in the order to enter them
    char root[NSRUN_GROUP_ROOT];         ///< for messages: what its members see as /, NUL-terminated
    char steps[NSRUN_GROUP_STEPS];       ///< for messages: a line each, as many as there is room for, NUL-terminated
};

/// What the holder gets from the first member.
struct nsrun_holder {
    int listener;   ///< bound to the group's name, not listening yet
    int leader;     ///< where the first member sends the group
    int life;       ///< readable when the first member has ended; -1 for the end of `leader`
    int folder;     ///< where the socket lies; locked for those who come (flock(2)) until the listener listens
    int layer;      ///< a lock on the directory that keeps the group's changes, -1 for none
    const char *name;   ///< of the group
    const char *note;   ///< is told to whoever lists the group
    size_t note_length;
    const char *folder_path;
    char file[NSRUN_MEETING_FILE];
};

/// Keeps a group until its last member has ended. For a process of its own; takes a `struct nsrun_holder`.
void nsrun_hold(const void *holder) __attribute__((noreturn));
