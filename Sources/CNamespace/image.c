// SPDX-License-Identifier: Apache-2.0
//
// A root that is a squashfs file: mounted by the kernel before the launch, or here through FUSE, with a
// server outside of the run (imageserver.c) that does the reading.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "executor.h"
#include "passing.h"

/// What the kernel reads at a time, and the most that is worth reading before it is asked for.
enum { PIECE = 128 << 10, LARGEST = 8 << 20 };

static int mount_fuse(struct nsrun_world *w, int device, const char *path, struct nsrun_place *place) {
    char fd[16], user[16], group[16];
    snprintf(fd, sizeof fd, "%d", device);
    snprintf(user, sizeof user, "%ld", syscall(SYS_geteuid));
    snprintf(group, sizeof group, "%ld", syscall(SYS_getegid));
    // Others are those of this user namespace and of the ones below it, who are mapped from the caller's
    // ids: nobody else on the machine is let in. The kernel looks at modes, for the server does not.
    const char *const options[] = {
        "source", path, "subtype", "squashfuse", "fd", fd, "rootmode", "40000", "user_id", user, "group_id",
        group, "default_permissions", NULL, "allow_other", NULL, NULL,
    };
    // The names for a list of mounts are not among the options of mount(2).
    const bool is_classic = nsrun_is_classic(w);
    return nsrun_place_filesystem(w, "fuse", is_classic ? options + 4 : options,
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, place);
}

/// Has the kernel read a whole file, in pieces of what it reads at a time, and does not wait for that.
static void read_ahead(int fd) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return;
    for (off_t at = 0; at < status.st_size; at += PIECE)
        posix_fadvise(fd, at, PIECE, POSIX_FADV_WILLNEED);
    close(fd);
}

int nsrun_read_ahead(struct nsrun_world *w, const struct nsrun_step *step) {
    for (size_t i = 0; step->list[i] != NULL; i++) {
        const int library = nsrun_open_file(w, step->list[i], LARGEST);
        if (library < 0)
            continue;
        // Both are opened first: what asks the server for a name waits until it has read all before.
        const int loader = nsrun_open_file(w, step->list2[i], LARGEST);
        read_ahead(loader);
        read_ahead(library);
        break;
    }
    return 0;
}

int nsrun_image(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place place = {.fd = -1, .is_root = true};
    int error;
    if (step->flags & NSRUN_MOUNTED) {
        const int mount = nsrun_result(fcntl(step->fd, F_DUPFD_CLOEXEC, 3));
        error = mount < 0 ? mount : nsrun_place_mount(w, mount, false, &place);
    } else {
        w->call = NSRUN_CALL_SOURCE;
        // Opened in the user namespace that mounts it: the kernel insists on that.
        const int device = nsrun_open("/dev/fuse", O_RDWR);
        if (device < 0)
            return device;
        w->call = NSRUN_CALL_STEP;
        error = mount_fuse(w, device, step->source, &place);
        if (error == 0) {
            w->call = NSRUN_CALL_CONTENT;
            error = nsrun_send_descriptors(step->fd, "+", 1, &device, 1);
        }
        // Now the server's alone, so that its end ends the file system.
        close(device);
        // Waits for the server, and fails where it gives up.
        struct stat status;
        if (error == 0 && fstat(place.fd, &status) != 0)
            error = -errno;
    }
    if (place.fd >= 0)
        close(place.fd);
    return error;
}
