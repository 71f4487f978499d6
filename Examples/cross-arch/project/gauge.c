// SPDX-License-Identifier: Apache-2.0

#include "gauge.h"

int degrees(const char *frame) {
    char value = frame[0];
    return value;
}

int64_t microseconds(const char *frame) {
    long hours = frame[1];
    return hours * 3600 * 1000000;
}
