// SPDX-License-Identifier: Apache-2.0
//
// Control groups for runs with limits, and whom to ask for one (cgroups(7), version 2).
#pragma once

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Makes a group and locks it (flock(2)), which keeps nsrun_sweep_group() from it. A descriptor, close-on-exec, or a negative
/// errno.
int nsrun_make_group(const char *path);
/// Removes a group that nobody has locked and that no process is in, with the groups below it.
void nsrun_sweep_group(const char *path);
/// Removes a group that no process is in, with the groups below it. 0 or a negative errno.
int nsrun_remove_group(const char *path);
/// Writes to a file of an open group, in one write. 0 or a negative errno.
int nsrun_write_group(int group, const char *name, const char *text, size_t length);
/// Reads such a file. The length or a negative errno.
ssize_t nsrun_read_group(int group, const char *name, char *text, size_t capacity);
/// Starts a process beside this one that removes the group when it is let go, or `socket` is closed, and no process is in it
/// any more; then `socket` ends. Nobody's child; 0 or a negative errno.
int nsrun_keep_group(const char *path, int group, int *socket);
void nsrun_let_group_go(int socket);

/// Asks the service manager (systemd) that listens at a socket for a scope of this name, with this process in it, whose
/// control group may be divided. It is made soon after. `slice`: where, NULL for the manager's own choice. 0, -EREMOTEIO
/// where it refuses, with what it says in `text`, or another negative errno.
int nsrun_ask_for_scope(const char *socket, const char *name, const char *slice, char *text, size_t size);

#ifdef __cplusplus
}
#endif
