// SPDX-License-Identifier: Apache-2.0
//
// What a run may be left of the caller's capabilities (capabilities(7)), made ready before the clone.

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "include/host.h"

uint64_t nsrun_capability_all(void) {
    uint64_t all = 0;
    for (int cap = 0; cap < cap_max_bits(); cap++)
        all |= 1ull << cap;
    return all;
}

int nsrun_capability_named(const char *name) {
    // cap_from_name() takes a prefix of what it is given, so the names are compared whole.
    if (strncasecmp(name, "cap_", 4) == 0)
        name += 4;
    for (cap_value_t cap = 0; cap < cap_max_bits(); cap++) {
        char *known = cap_to_name(cap);
        const bool same = known != NULL && strncmp(known, "cap_", 4) == 0
                          && strcasecmp(known + 4, name) == 0;
        cap_free(known);
        if (same)
            return cap;
    }
    return -1;
}

int nsrun_capability_name(int number, char *name, size_t size) {
    char *known = number < cap_max_bits() ? cap_to_name(number) : NULL;
    const size_t length = known != NULL ? strlen(known) : 0;
    // One without a name is a number to libcap.
    const bool is_named = length > 0 && length < size && strncmp(known, "cap_", 4) == 0;
    for (size_t i = 0; is_named && i <= length; i++)
        name[i] = known[i] >= 'a' && known[i] <= 'z' ? (char)(known[i] - 'a' + 'A') : known[i];
    cap_free(known);
    return is_named ? (int)length : 0;
}

uint64_t nsrun_capabilities_held(void) {
    uint64_t held = 0;
    cap_t sets = cap_get_proc();
    if (sets == NULL)
        return 0;
    for (cap_value_t cap = 0; cap < cap_max_bits(); cap++) {
        cap_flag_value_t set;
        if (cap_get_flag(sets, cap, CAP_PERMITTED, &set) == 0 && set == CAP_SET)
            held |= 1ull << cap;
    }
    cap_free(sets);
    return held;
}

int nsrun_capabilities_prepare(struct nsrun_capabilities *result, uint64_t held, uint64_t ambient,
                               uint64_t bounding) {
    cap_t sets = cap_init();
    if (sets == NULL)
        return -errno;
    for (cap_value_t cap = 0; cap < 64; cap++) {
        if (!(held >> cap & 1))
            continue;
        // An ambient capability must be inheritable; the others need not be.
        if (cap_set_flag(sets, CAP_PERMITTED, 1, &cap, CAP_SET) != 0
            || cap_set_flag(sets, CAP_EFFECTIVE, 1, &cap, CAP_SET) != 0
            || (ambient >> cap & 1
                && cap_set_flag(sets, CAP_INHERITABLE, 1, &cap, CAP_SET) != 0)) {
            int error = -errno;
            cap_free(sets);
            return error;
        }
    }
    *result = (struct nsrun_capabilities){.sets = sets, .bounding = bounding, .ambient = ambient,
                                          .count = cap_max_bits()};
    return 0;
}

void nsrun_capabilities_release(struct nsrun_capabilities *capabilities) {
    cap_free(capabilities->sets);
}
