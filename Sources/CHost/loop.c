// SPDX-License-Identifier: Apache-2.0
//
// A squashfs mounted by the kernel itself, which real root may ask for: through a loop device, for the kernel
// reads a squashfs from devices only (loop(4)).

#define _GNU_SOURCE
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "include/host.h"
#include "syscalls.h"

/// A loop device that gives the file from an offset on, and is given up with its last user. Its name is written to `path`.
static int attach(int image, uint64_t offset, char path[32]) {
    const int control = nsrun_open("/dev/loop-control", O_RDWR);
    if (control < 0)
        return control;
    const struct loop_config config = {
        .fd = (uint32_t)image,
        .info = {.lo_offset = offset, .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
    };
    int device = -EBUSY;
    // Others take devices, too.
    for (int attempt = 0; attempt < 64 && device == -EBUSY; attempt++) {
        const int number = nsrun_result(ioctl(control, LOOP_CTL_GET_FREE));
        if (number < 0) {
            device = number;
            break;
        }
        snprintf(path, 32, "/dev/loop%d", number);
        device = nsrun_open(path, O_RDONLY);
        if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) != 0) {
            const int error = -errno;
            close(device);
            device = error;
        }
    }
    close(control);
    return device;
}

int nsrun_mount_squashfs(int image, uint64_t offset) {
    char path[32];
    const int device = attach(image, offset, path);
    if (device < 0)
        return device;
    const char *const options[] = {"source", path, "ro", NULL, NULL};
    const int mount = nsrun_make_filesystem(
        "squashfs", options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    close(device);
    return mount;
}
