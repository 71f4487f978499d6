// SPDX-License-Identifier: Apache-2.0

#include <inttypes.h>
#include <stdio.h>

#include "gauge.h"

static int failures;

static void check(const char *what, int64_t seen, int64_t wanted) {
    if (seen != wanted) failures++;
    printf("%s: %" PRId64 "%s\n", what, seen, seen == wanted ? "" : ", and that is wrong");
}

int main(void) {
    const char frame[] = {-5, 2};
    check("degrees", degrees(frame), -5);
    check("microseconds", microseconds(frame), INT64_C(7200000000));
    printf("%d of 2 failed\n", failures);
    return failures > 0;
}
