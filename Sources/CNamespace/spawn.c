// SPDX-License-Identifier: Apache-2.0
//
// Starts a plan: in a child of its own, or in this very process.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "executor.h"

static void child_main(const struct nsrun_plan *plan, const struct nsrun_links *links)
    __attribute__((noreturn));

static void child_main(const struct nsrun_plan *plan, const struct nsrun_links *links) {
    static struct nsrun_report report;
    static struct nsrun_world world;
    close(links->launcher);
    if (links->lock >= 0)
        close(links->lock);
    nsrun_world_prepare(&world, plan, &report);
    world.channel = links->child;
    world.life = links->life;
    const bool has_init = plan->shape == NSRUN_SHAPE_INIT;
    if (plan->flags & NSRUN_READABLE_INIT)   // it looks through its descriptors when the new root may have no /proc
        nsrun_open_proc(&world);
    if (nsrun_walk(&world, 0, has_init ? plan->command_start : plan->count) < 0) {
        nsrun_send(&world);
        _exit(125);
    }
    nsrun_init(&world);
}

pid_t nsrun_spawn(const struct nsrun_plan *plan, const struct nsrun_links *links) {
    // No handler of the caller's may run in the child, which has no thread but this one.
    const uint64_t all = ~0ull;
    uint64_t previous;
    int error = nsrun_sigprocmask(SIG_SETMASK, &all, &previous);
    if (error < 0)
        return error;
    // The raw call: fork(3) would run atfork handlers and take locks of the caller's threads.
    long pid = syscall(SYS_clone, plan->clone_flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        child_main(plan, links);
    error = pid < 0 ? -errno : 0;
    nsrun_sigprocmask(SIG_SETMASK, &previous, NULL);
    return error < 0 ? error : (pid_t)pid;
}

void nsrun_run_in_place(const struct nsrun_plan *plan, struct nsrun_report *report) {
    struct nsrun_world world;
    nsrun_world_prepare(&world, plan, report);
    nsrun_walk(&world, 0, plan->count);
    nsrun_leave_group(&world);
    umask(world.old_umask);
    nsrun_restore_file_size(&world);
}
