// SPDX-License-Identifier: Apache-2.0
//
// Small calls that the executor and the launcher both make. Nothing is allocated.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// 0 and the wait(2) status, or a negative errno; -EAGAIN while the child runs and `block` is false.
int nsrun_wait(pid_t pid, bool block, int *status, struct rusage *usage);
/// Close-on-exec, and never in the place of a standard stream.
int nsrun_pipe(int fds[2]);
/// A pair of connected sockets that keep records apart (unix(7)), close-on-exec.
int nsrun_socket_pair(int fds[2]);
/// A signalfd(2) for every signal, close-on-exec.
int nsrun_signal_descriptor(void);
/// Gives SIGCHLD, which this program may have been started with ignored, its default action: nobody could be waited for.
void nsrun_heed_children(void);
/// Closes every descriptor above 2 except the ones given.
void nsrun_close_others(const int *keep, size_t count);
/// Reads from a descriptor until it ends or the buffer is full; returns the count or a negative errno.
ssize_t nsrun_read_all(int fd, char *buffer, size_t capacity);
/// Writes all of it, or returns a negative errno.
int nsrun_write_all(int fd, const char *data, size_t length);
/// pidfd_open(2): readable once the process has ended. A descriptor or a negative errno.
int nsrun_process_descriptor(pid_t pid);
/// CLOCK_MONOTONIC in nanoseconds.
int64_t nsrun_now(void);
/// Takes a byte from the descriptor, which it waits for: 1; 0 where that has ended; or a negative errno.
int nsrun_await(int fd);
/// Opens what a path of a root leads to, whose links are followed inside it; with or without openat2(2).
/// A descriptor or a negative errno.
int nsrun_open_below(const char *root, const char *path, int flags);
/// The name of a descriptor in /proc, for calls that take a path alone.
void nsrun_fd_path(int fd, char path[32]);
/// Where a descriptor lies (proc_pid_fd(5)), NUL-terminated, and cut off where there is no more room. The length or a negative
/// errno.
ssize_t nsrun_locate_descriptor(int fd, char *path, size_t size);
/// A new file system, mounted nowhere (fsopen(2)). `options` are key, value pairs ending with NULL; a value of NULL is
/// a flag. Its descriptor or a negative errno.
int nsrun_make_filesystem(const char *type, const char *const *options, unsigned attributes);
/// Visits every descriptor that is open, by the list in a /proc (-1 for the one at its usual place) or one by one.
void nsrun_each_descriptor(int proc, void (*visit)(void *context, int fd), void *context);
/// close_range(2), of which Linux before 5.9 has nothing, and before 5.11 no CLOSE_RANGE_CLOEXEC.
void nsrun_close_range(unsigned first, unsigned last, unsigned flags);

/// A descriptor of a directory, locked for it alone or for those who share it (flock(2)); -EWOULDBLOCK where others have
/// it; -ENOLCK where there is nothing to lock: a file system without locks, or what is not to be reached, which those who use
/// it will say; or another negative errno.
int nsrun_lock_layer(const char *path, bool shared);

struct nsrun_entry;
/// Calls with each entry of a directory, `.` and `..` among them, until `visit` returns something else than 0. That, or 0 at
/// the end, or a negative errno (getdents64(2)).
int nsrun_each_entry(int directory, int (*visit)(void *context, const struct nsrun_entry *entry), void *context);

#ifdef __cplusplus
}
#endif
