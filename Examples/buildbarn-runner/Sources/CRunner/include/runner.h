// What the runner asks of the kernel and Swift cannot call: glibc hides it, or it takes a variable
// number of arguments. A function returns 0 or what its comment says, or a negative errno.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
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
/// /dev/null, to read from.
int runner_open_null(void);
/// The path that a descriptor was opened at, as the kernel knows it now. Returns its length.
ssize_t runner_path(int fd, char *buffer, size_t capacity);

// processes.c

/// Starts this very program once more, with a socket as its descriptor 3 and nothing else of ours: no other
/// descriptor above 2, no environment, no signals ignored or blocked. Returns the pid; `*link` is our end of the
/// socket.
pid_t runner_start_again(char *const argv[], int *link);
/// Waits until a child has ended, and tells what it and its own children have used. The child stays to be
/// waited for. It is killed as soon as something comes in on `link`; returns 1 then.
int runner_await_end(pid_t pid, int link, struct rusage *usage);
/// The name of a signal, without SIG; NULL where it has none.
const char *runner_signal_name(int number);
/// Removes a socket when SIGTERM or SIGINT ends the process.
int runner_remove_at_end(const char *socket);
