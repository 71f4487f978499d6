// SPDX-License-Identifier: Apache-2.0

#include <stdint.h>

// What a gauge sends: a byte with the degrees, below zero in winter, and one with the hours that it
// has run.
int degrees(const char *frame);
int64_t microseconds(const char *frame);
