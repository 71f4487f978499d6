// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "nsrun_rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const int nsrun_rootfs_o_path = O_PATH;

int nsrun_rootfs_open_in_root(int dirfd, const char *path, int flags) {
  struct open_how how;
  memset(&how, 0, sizeof how);
  how.flags = (uint64_t)flags;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  for (int attempt = 0; attempt < 16; attempt++) {
    fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return (int)fd;
}

int nsrun_rootfs_exchange(int directory, const char *a, const char *b) {
  return renameat2(directory, a, directory, b, RENAME_EXCHANGE);
}

int nsrun_rootfs_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

off_t nsrun_rootfs_next_data(int fd, off_t from) { return lseek(fd, from, SEEK_DATA); }

off_t nsrun_rootfs_next_hole(int fd, off_t from) { return lseek(fd, from, SEEK_HOLE); }

int nsrun_rootfs_clone(int to, int from) { return ioctl(to, FICLONE, from); }
