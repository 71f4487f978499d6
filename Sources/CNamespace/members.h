// SPDX-License-Identifier: Apache-2.0
//
// The processes of a world or a group: those in its namespaces, whoever has started them, and whatever they have become.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "include/reuse.h"

/// Visits each of them by its number and a descriptor (pidfd_open(2)), which is -1 where the kernel has no such thing and is
/// closed afterwards, until `visit` returns false. `proc` is a descriptor of the host's /proc. 0 or a negative errno.
int nsrun_each_member(int proc, const struct nsrun_inside *inside, bool (*visit)(void *context, pid_t pid, int process),
                       void *context);
/// Also where that cannot be known.
bool nsrun_has_members(int proc, const struct nsrun_inside *inside);
/// Those in a namespace, by a descriptor of it.
void nsrun_note_namespace(struct nsrun_inside *inside, int fd, bool is_user);
