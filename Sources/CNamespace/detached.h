// SPDX-License-Identifier: Apache-2.0
//
// Processes that nobody waits for: what keeps a group, serves an image or connects a network. What they need of a run
// is sent to them, see passing.h.
#pragma once

#include <sys/types.h>

/// Calls a function in a process that is nobody's child, so that nobody must wait for its end, a program that a
/// launcher becomes least of all: a copy of this process, with every signal blocked. 0 or a negative errno.
int nsrun_start_beside(void (*run)(const void *argument), const void *argument);
/// Leaves the caller's session, directory and descriptors, but for those to keep. Standard input is /dev/null, and
/// so is the output where that is -1. 0 or a negative errno.
int nsrun_settle_beside(int output, int errors, const int *keep, size_t count);
/// Says on standard error that a program could not be started.
void nsrun_say_not_started(void);
