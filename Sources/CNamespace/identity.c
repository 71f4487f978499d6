// SPDX-License-Identifier: Apache-2.0
//
// Capabilities and filters: what makes the command less than its caller.

#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "executor.h"

int nsrun_capabilities(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    const struct nsrun_capabilities *capabilities = (const void *)step->data;
    // The bounding set goes first: dropping from it takes CAP_SETPCAP, which the next call may drop.
    for (cap_value_t cap = 0; cap < capabilities->count; cap++)
        if (!(capabilities->bounding >> cap & 1) && cap_drop_bound(cap) != 0)
            return -errno;
    // cap_set_proc() on sets made beforehand is one capset(2): it allocates nothing.
    if (cap_set_proc((cap_t)capabilities->sets) != 0)
        return -errno;
    for (cap_value_t cap = 0; capabilities->ambient >> cap != 0; cap++)
        if (capabilities->ambient >> cap & 1 && cap_set_ambient(cap, CAP_SET) != 0)
            return -errno;
    return 0;
}

int nsrun_hide(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -errno; }

int nsrun_no_new_privs(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

int nsrun_assert_no_userns(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w, (void)step;
    return unshare(CLONE_NEWUSER) == 0 ? -EEXIST : 0;
}

int nsrun_seccomp(struct nsrun_world *w, const struct nsrun_step *step) {
    // The stub installs them, where there is one, behind all that set-up still calls.
    if (w->stub >= 0)
        return 0;
    struct sock_fprog filter = {
        .len = (unsigned short)(step->length / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)(void *)step->data,
    };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0 ? 0 : -errno;
}
