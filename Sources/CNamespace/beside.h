// Processes beside a run: nobody waits for them, and what they need of a run is sent to them.
#pragma once

#include <sys/types.h>

enum { NSRUN_MOST_DESCRIPTORS = 16 };   ///< in a message

/// Calls a function in a process that is nobody's child, so that nobody must wait for its end, a program that a
/// launcher becomes least of all: a copy of this process, with every signal blocked. 0 or a negative errno.
int nsrun_start_beside(void (*run)(const void *argument), const void *argument);
/// Leaves the caller's session, directory and descriptors, but for those to keep. Standard input is /dev/null, and
/// so is the output where that is -1. 0 or a negative errno.
int nsrun_settle_beside(int output, int errors, const int *keep, size_t count);
/// Says on standard error that a program could not be started.
void nsrun_say_not_started(void);
/// Sends a message of at least one byte, and descriptors with it (unix(7), SCM_RIGHTS). 0 or a negative errno.
int nsrun_send_descriptors(int socket, const void *data, size_t size, const int *fds, unsigned count);
/// Receives one. The number of bytes, 0 at the end, or a negative errno; `count` is the room for
/// descriptors, then how many came. What does not fit is closed.
ssize_t nsrun_receive_descriptors(int socket, void *data, size_t size, int *fds, unsigned *count);
