// SPDX-License-Identifier: Apache-2.0
//
// The calls of landlock(7), which no C library has, and bits newer than the headers that this is built with.
#pragma once

#include "syscalls.h"

/// What is forbidden but for rules. Kernels that know less of it take it all the same, where that is 0.
struct nsrun_landlock {
    uint64_t files, network, scoped;
};

enum {
    NSRUN_LANDLOCK_WRITE_FILE = 1 << 1,
    NSRUN_LANDLOCK_REMOVE_AND_MAKE = 0x1ff << 4,
    NSRUN_LANDLOCK_FILES = 0x1fff,                ///< all of version 1
    NSRUN_LANDLOCK_REFER = 1 << 13,               ///< from version 2 on
    NSRUN_LANDLOCK_TRUNCATE = 1 << 14,            ///< 3
    NSRUN_LANDLOCK_DEVICES = 1 << 15,             ///< 5
    NSRUN_LANDLOCK_RESOLVE_UNIX = 1 << 16,        ///< 9
    NSRUN_LANDLOCK_BIND_PORT = 1 << 0,            ///< 4
    NSRUN_LANDLOCK_CONNECT_PORT = 1 << 1,
    NSRUN_LANDLOCK_ABSTRACT_SOCKETS = 1 << 0,     ///< 6
    NSRUN_LANDLOCK_SIGNALS = 1 << 1,
    NSRUN_LANDLOCK_BENEATH = 1, NSRUN_LANDLOCK_PORT = 2,   ///< kinds of rules
};

/// Of the kernel's, from 1 on, or a negative errno.
static inline int nsrun_landlock_version(void) { return nsrun_result(syscall(444, NULL, 0, 1)); }

/// All that a version knows of changing files besides what version 1 does.
static inline uint64_t nsrun_landlock_newer_changes(int version) {
    return (version >= 2 ? NSRUN_LANDLOCK_REFER : 0) | (version >= 3 ? NSRUN_LANDLOCK_TRUNCATE : 0)
           | (version >= 5 ? NSRUN_LANDLOCK_DEVICES : 0);
}

/// Ports, and what is others' in a process's own domain, as far as a version knows them.
static inline struct nsrun_landlock nsrun_landlock_others(int version) {
    return (struct nsrun_landlock){
        .network = version >= 4 ? NSRUN_LANDLOCK_BIND_PORT | NSRUN_LANDLOCK_CONNECT_PORT : 0,
        .scoped = version >= 6 ? NSRUN_LANDLOCK_ABSTRACT_SOCKETS | NSRUN_LANDLOCK_SIGNALS : 0,
    };
}

/// A descriptor or a negative errno.
static inline int nsrun_landlock_rules(const struct nsrun_landlock *forbidden) {
    return nsrun_result(syscall(444, forbidden, sizeof *forbidden, 0));
}

static inline int nsrun_landlock_allow(int rules, int kind, const void *rule) {
    return nsrun_result(syscall(445, rules, kind, rule, 0));
}

/// This process and what it starts are under them from now on, for which nothing may gain privileges. Takes over the
/// descriptor, or an error in its place. -E2BIG where walls enough are around this one: runs within runs.
static inline int nsrun_landlock_restrict(int rules) {
    if (rules < 0)
        return rules;
    const int error = nsrun_result(syscall(446, rules, 0));
    close(rules);
    return error;
}
