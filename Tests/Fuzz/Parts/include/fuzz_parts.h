// SPDX-License-Identifier: Apache-2.0
//
// What a fuzzer needs of C: walls around it, and faults that it must find.
#pragma once

#include <stddef.h>

/// From now on this process can change nothing but what lies in a directory, and finds an empty file system in memory
/// at `DIRECTORY/scratch`, which ends with it. 0 or a negative errno, with the call that failed in `*call`.
int fuzz_confine(const char *directory, const char **call);

/// Whether a text begins with a word, compared so that libFuzzer learns of it.
int fuzz_says(const char *text, size_t length, const char *word);
/// Reads the byte behind the end.
int fuzz_read_beyond(const char *text, size_t length);
/// Computes an address from nothing.
int fuzz_point_nowhere(const char *text, size_t length);
