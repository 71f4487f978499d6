// SPDX-License-Identifier: Apache-2.0
//
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

/// Whether a path is one of those that a pattern stands for, see glob.c.
bool nsrun_fits(const char *pattern, const char *path);

/// The room that nsrun_merge_caches() needs beside a cache of that size.
size_t nsrun_merged_size(const struct nsrun_step *step, size_t size);
/// Writes a cache of the dynamic linker's (ld.so.cache) to `made`: the libraries of an NSRUN_OP_LINKER_CACHE before
/// those of the root's own cache, which has a NUL behind its `size` bytes and may be none. Both are aligned to 8
/// bytes, `made` is zero. Returns the size.
size_t nsrun_merge_caches(const struct nsrun_step *step, const char *own, size_t size, char *made);
/// The highest version that a C library with a NUL behind it names, as major << 32 | minor; 0 for none. Its
/// versions are names such as GLIBC_2.36.
uint64_t nsrun_highest_glibc(const char *bytes, size_t size);

#ifdef __cplusplus
}
#endif
