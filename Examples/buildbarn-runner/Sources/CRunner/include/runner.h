// SPDX-License-Identifier: Apache-2.0
//
// What the runner asks of the kernel and Swift cannot call: glibc hides it, or it takes a variable
// number of arguments. A function returns 0 or what its comment says, or a negative errno.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// files.c

enum runner_kind {
    RUNNER_ANYTHING,    ///< whatever is there, to look at; a link at the end is not followed
    RUNNER_DIRECTORY,   ///< a directory, to start from
    RUNNER_NEW_FILE,    ///< a file that does not exist yet, to append to
};

/// Opens what a path leads to below a directory. With `as_root` the directory is taken for the root, in
/// which absolute links and `..` stay; without, leading out of it is an error, EXDEV (openat2(2)).
int runner_open(int directory, const char *path, enum runner_kind kind, bool as_root);
/// A directory of the host's, to start from.
int runner_open_host(const char *path);

// network.c

/// Moves this process, which must have one thread, into a user namespace in which its ids are the same, and
/// into an empty network with lo up; what it launches from then on is in there, too. Returns a descriptor for
/// runner_is_unused(), or a negative errno: then each launch must bring a network of its own.
int runner_make_first_network(void);
/// Moves it on into a new network.
int runner_make_next_network(void);
/// Whether nothing was ever sent or asked for in that network.
bool runner_is_unused(int devices);

// processes.c

/// Starts this very program once more, with a socket as its descriptor 3, nothing to read on its standard
/// input, no other descriptor above 2 and no environment. Returns the pid; `*link` is our end of the socket.
pid_t runner_start_again(char *const argv[], int *link);
/// The name of a signal, without SIG; NULL where it has none.
const char *runner_signal_name(int number);
