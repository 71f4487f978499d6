// SPDX-License-Identifier: Apache-2.0
//
// Where a root that cannot be put together detached hangs until it is entered.
//
// Not on the host's "/": a `..` of a source that leads there would step onto it. It is a tmpfs over a
// directory that nobody binds, and unbindable, so that a recursive bind of the host's whole tree does
// not carry it along.

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

int nsrun_workspace(struct nsrun_world *w) {
    static const char *const places[] = {"/proc/fs", "/sys/fs", "/tmp"};
    if (w->workspace >= 0)
        return 0;
    int error = -ENOENT;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *place = places[i];
        if (mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
            error = -errno;
            continue;
        }
        w->workspace = nsrun_open(place, O_PATH | O_DIRECTORY);
        if (w->workspace < 0)
            return w->workspace;
        w->workspace_path = place;
        if (mount(NULL, place, NULL, MS_UNBINDABLE, NULL) != 0
            || mkdirat(w->workspace, "root", 0755) != 0
            || mkdirat(w->workspace, "scratch", 0755) != 0)
            return -errno;
        return 0;
    }
    return error;
}

/// For a root that stays the host's own: everything else goes with the old root.
int nsrun_leave_workspace(struct nsrun_world *w) {
    if (w->workspace < 0)
        return 0;
    return umount2(w->workspace_path, MNT_DETACH) == 0 ? 0 : -errno;
}
