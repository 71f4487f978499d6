// Parsers of the executor's that take bytes and touch nothing else: here for its own files, tests and fuzzers.
#pragma once

#include "nsrun.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A line of mountinfo (proc_pid_mountinfo(5)).
struct nsrun_mount_line {
    unsigned id, parent;
    const char *point;   ///< where it is mounted, without escapes: in the line itself
};

/// Takes a line apart, which is changed. False where it ends before the mount point does.
bool nsrun_read_mount_line(char *line, struct nsrun_mount_line *mount);

#ifdef __cplusplus
}
#endif
