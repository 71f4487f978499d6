// SPDX-License-Identifier: Apache-2.0
//
// Landlock (landlock(7)): what a process may reach by other ways than names of files, as a wall behind the namespaces.

#define _GNU_SOURCE
#include "executor.h"
#include "landlock.h"

/// Takes over the descriptor of a file, or of a directory and what lies below.
static int allow(int rules, uint64_t access, int file) {
    if (file < 0)
        return file;
    struct {
        uint64_t access;
        int32_t file;
    } __attribute__((packed)) rule = {.access = access, .file = file};
    const int error = nsrun_landlock_allow(rules, NSRUN_LANDLOCK_BENEATH, &rule);
    close(file);
    return error;
}

/// Whoever says anything of files may not move them between directories any more, unless a rule allows that; and the
/// sockets of the list are reached.
static int allow_paths(const struct nsrun_world *w, int rules, const char *const *sockets) {
    int error = allow(rules, NSRUN_LANDLOCK_REFER, nsrun_open("/", O_PATH | O_DIRECTORY));
    for (size_t i = 0; sockets != NULL && sockets[i] != NULL && error == 0; i++)
        error = allow(rules, NSRUN_LANDLOCK_RESOLVE_UNIX, nsrun_open_inside(w, sockets[i], O_PATH));
    return error;
}

/// Keeps this process and what it starts from abstract sockets and from processes outside (Linux 6.12), and where
/// `value` says so from sockets outside that have a path (Linux 7.1), but for those of the list. Older kernels have no such wall.
int nsrun_scope(struct nsrun_world *w, const struct nsrun_step *step) {
    const int version = nsrun_landlock_version();
    if (version < 6 && step->value & NSRUN_SCOPE_REQUIRED)
        return version < 0 ? version : -EOPNOTSUPP;
    if (version < 6) {
        w->passed_over = version < 0 ? -version : EOPNOTSUPP;
        return 0;
    }
    const bool has_paths = step->value & NSRUN_SCOPE_PATHS && version >= 9;
    const struct nsrun_landlock forbidden = {
        .files = has_paths ? NSRUN_LANDLOCK_RESOLVE_UNIX | NSRUN_LANDLOCK_REFER : 0,
        .scoped = NSRUN_LANDLOCK_ABSTRACT_SOCKETS
                  | (step->value & NSRUN_SCOPE_ABSTRACT ? 0 : NSRUN_LANDLOCK_SIGNALS),
    };
    const int rules = nsrun_landlock_rules(&forbidden);
    int error = rules >= 0 && has_paths ? allow_paths(w, rules, step->list) : 0;
    if (error < 0) {
        close(rules);
        return error;
    }
    error = nsrun_landlock_restrict(rules);
    if (error == -E2BIG && !(step->value & NSRUN_SCOPE_REQUIRED)) {   // runs within runs: walls enough are around this one
        w->passed_over = E2BIG;
        error = 0;
    }
    return error;
}
