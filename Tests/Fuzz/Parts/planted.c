// SPDX-License-Identifier: Apache-2.0
//
// Faults on purpose: a fuzzer that does not find these would not find others.

#include <string.h>

#include "fuzz_parts.h"

/// Chosen at run time, so that no compiler sees through it.
static const char *volatile nothing = NULL;

int fuzz_says(const char *text, size_t length, const char *word) {
    return length >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

int fuzz_read_beyond(const char *text, size_t length) { return text[length]; }

int fuzz_point_nowhere(const char *text, size_t length) { return nothing + length > text; }
