// SPDX-License-Identifier: Apache-2.0
//
// Parsers of the launcher's that take bytes or an open file and touch nothing else: here for its own files, tests and
// fuzzers.
#pragma once

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What the loader could not run or could not keep inside, in words; NULL for a program that it can. What cannot be
/// read, or is no ELF file, is left to the loader.
const char *nsrun_program_defect(int fd);
/// Whether an option of env(1) asks for an empty environment, which is taken out of it. `*skips` where its value is
/// the next word.
bool nsrun_takes_empty(char *word, bool *skips);

/// The next of a list of processes, each with a blank behind it (proc_tid_children(5)); 0 or less for none.
pid_t nsrun_next_pid(const char **list);

#ifdef __cplusplus
}
#endif
