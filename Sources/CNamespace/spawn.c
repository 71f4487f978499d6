// SPDX-License-Identifier: Apache-2.0
//
// Starts a plan: in a child of its own, or in this very process.

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "executor.h"

static void child_main(const struct nsrun_plan *plan, const struct nsrun_links *links)
    __attribute__((noreturn));

static void child_main(const struct nsrun_plan *plan, const struct nsrun_links *links) {
    static struct nsrun_report report;
    static struct nsrun_world world;
    close(links->launcher);
    const int launchers[] = {links->lock, links->group, links->keeper};
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++)
        if (launchers[i] >= 0)
            close(launchers[i]);
    nsrun_world_prepare(&world, plan, &report);
    world.channel = links->child;
    world.life = links->life;
    if (links->prepared != NULL) {
        world.proc = links->prepared->proc;
        // With a descriptor of the world's mounts a command with capabilities could enter it.
        close(links->prepared->user);
        close(links->prepared->mount);
    }
    const bool has_init = plan->shape == NSRUN_SHAPE_INIT;
    if (plan->flags & NSRUN_READABLE_INIT)   // it looks through its descriptors when the new root may have no /proc
        nsrun_open_proc(&world);
    if (nsrun_walk(&world, 0, has_init ? plan->command_start : plan->count) < 0) {
        nsrun_send(&world);
        _exit(125);
    }
    nsrun_init(&world);
}

/// clone3(2), whose structure not every C library declares, with as much of it as Linux 5.7 knows.
static long clone_into(uint64_t flags, uint64_t signal, int group) {
    const struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments = {.flags = flags | NSRUN_CLONE_INTO_CGROUP, .exit_signal = signal, .cgroup = (uint64_t)group};
    return syscall(SYS_clone3, &arguments, sizeof arguments);
}

/// A copy of this process in new namespaces: as clone(2).
static long clone_child(uint64_t flags, const struct nsrun_links *links) {
    if (links->group < 0)
        return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    // A sibling has the signal of who makes it.
    return clone_into(flags, flags & CLONE_PARENT ? 0 : SIGCHLD, links->group);
}

/// What enters a prepared world for the launcher, which would not get out of it again.
struct entrance {
    const struct nsrun_plan *plan;
    const struct nsrun_links *links;
    long pid;
};

/// Runs on the launcher's memory, which waits; what it makes has a copy, and is the launcher's child.
static int enter(void *opaque) {
    struct entrance *entrance = opaque;
    const struct nsrun_prepared *prepared = entrance->links->prepared;
    const int was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    int error = setns(prepared->user, CLONE_NEWUSER) == 0 && setns(prepared->mount, CLONE_NEWNS) == 0 ? 0 : -errno;
    // It was taken away with the change of namespaces, and without it nobody could map the child's ids. No run can look
    // into this process all the same: none has capabilities over the user namespace that it is in.
    if (was_dumpable == 1)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (error == 0) {
        entrance->pid = clone_child(entrance->plan->clone_flags | CLONE_PARENT, entrance->links);
        if (entrance->pid == 0)
            child_main(entrance->plan, entrance->links);
        error = entrance->pid < 0 ? -errno : 0;
    }
    if (error < 0)
        entrance->pid = error;
    return 0;
}

/// A child in a copy of a prepared world: its pid or a negative errno.
static long spawn_inside(const struct nsrun_plan *plan, const struct nsrun_links *links) {
    enum { STACK = 256 * 1024 };
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    struct entrance entrance = {.plan = plan, .links = links, .pid = -ECHILD};
    // With SIGCHLD, for the child that it makes in our name has the same.
    const pid_t helper = clone(enter, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &entrance);
    int status;
    long pid = helper < 0 ? -errno : 0;
    if (helper >= 0) {
        nsrun_wait(helper, true, &status, NULL);   // somebody else may wait for every child
        pid = entrance.pid;
    }
    munmap(stack, STACK);
    return pid;
}

pid_t nsrun_spawn(const struct nsrun_plan *plan, const struct nsrun_links *links) {
    // No handler of the caller's may run in the child, which has no thread but this one.
    const uint64_t all = ~0ull;
    uint64_t previous;
    int error = nsrun_sigprocmask(SIG_SETMASK, &all, &previous);
    if (error < 0)
        return error;
    // The raw call: fork(3) would run atfork handlers and take locks of the caller's threads.
    long pid;
    if (links->prepared != NULL) {
        pid = spawn_inside(plan, links);
        error = pid < 0 ? (int)pid : 0;
    } else {
        pid = clone_child(plan->clone_flags, links);
        if (pid == 0)
            child_main(plan, links);
        error = pid < 0 ? -errno : 0;
    }
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
