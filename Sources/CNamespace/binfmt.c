// SPDX-License-Identifier: Apache-2.0
//
// A binfmt_misc of the run's own user namespace (Linux 6.7).

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

/// Mounts it and writes the records. They last as long as a mount of it: this one stays where the host
/// has its own.
int nsrun_binfmt(struct nsrun_world *w, const struct nsrun_step *step) {
    static const char *const none[] = {NULL};
    struct nsrun_place place;
    int error = nsrun_find(w, step->target, NSRUN_KIND_DIRECTORY, NSRUN_MUST_EXIST, 0, &place);
    if (error < 0)
        return error;
    const unsigned strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    error = nsrun_place_filesystem(w, "binfmt_misc", none, strict, &place);
    if (error == 0) {
        int file = nsrun_result(openat(place.fd, "register", O_WRONLY | O_CLOEXEC));
        error = file < 0 ? file : 0;
        if (file >= 0)
            w->call = NSRUN_CALL_CONTENT;
        for (const char *const *record = step->list; *record != NULL && error == 0; record++)
            if (write(file, *record, strlen(*record)) < 0)
                error = -errno;
        if (file >= 0)
            close(file);
    }
    close(place.fd);
    return error;
}
