// SPDX-License-Identifier: Apache-2.0
//
// What a run and its launcher have to do with each other while it is set up.

#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>

#include "executor.h"

int nsrun_request(struct nsrun_world *w, const struct nsrun_step *step) {
    w->report->head.kind = (uint32_t)step->value;
    w->report->head.length = 0;
    const int error = nsrun_send(w);
    return error < 0 ? error : nsrun_await_answer(w);
}

int nsrun_await_descriptor(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)w;
    const int count = nsrun_await(step->fd);
    return count < 0 ? count : 0;
}

/// A signal when the launcher ends, without the race of one that has ended already: its end of the channel is closed
/// then. For a launcher with one thread, for the kernel means the thread that has made this process.
int nsrun_death_signal(struct nsrun_world *w, const struct nsrun_step *step) {
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)step->value, 0, 0, 0) != 0)
        return -errno;
    struct pollfd channel = {.fd = w->channel};
    if (w->channel >= 0 && poll(&channel, 1, 0) == 1 && (channel.revents & POLLHUP))
        _exit(128 + SIGKILL);
    return 0;
}

int nsrun_share_channel(struct nsrun_world *w, const struct nsrun_step *step) {
    return dup2(w->channel, (int)step->value) >= 0 ? 0 : -errno;
}
