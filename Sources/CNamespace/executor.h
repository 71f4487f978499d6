// SPDX-License-Identifier: Apache-2.0
//
// What the executor knows while it walks a plan, and the verbs its topics share.
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "include/io.h"
#include "include/nsrun.h"
#include "syscalls.h"

struct nsrun_world {
    const struct nsrun_plan *plan;
    int root;             ///< the new root's topmost directory, -1 before there is one
    int base;             ///< the mount to attach at the end, -1 once attached or where it is the host's
    bool attached;        ///< the new root hangs in the mount tree already
    int workspace;        ///< where an attached root hangs until it is entered, -1 before there is one
    const char *workspace_path;
    bool host_root;       ///< the root is still the host's own: nothing to enter
    bool entered;         ///< `/` is a root that may be hostile
    bool no_openat2;
    bool has_chosen;      ///< how to mount, which takes the capabilities of the run's user namespace to find out
    bool classic;         ///< by mount(2) only
    const char *lacking;  ///< the call that there is not for the other way, NULL where all are there
    int scratch;          ///< a tmpfs that holds bound files, -1 before there is one
    unsigned scratch_names;
    int held[16];         ///< trees that NSRUN_OP_HOLD has cloned, -1 for one that could not be
    unsigned held_count;
    int known_root;       ///< the root that root_is_own speaks of
    bool root_is_own;
    int parent;           ///< the directory that was looked up last, -1 where none is remembered
    bool parent_is_own;   ///< it lies in a file system that this run made
    char parent_path[PATH_MAX];
    size_t copied;        ///< bytes of plan->copies in use
    dev_t made[256];      ///< file systems that this run made: mount points may be created there
    unsigned made_count;
    int channel;          ///< to the launcher, -1 in place
    int life;             ///< readable when a process ends that the run is to end with, -1 for none
    int ready;            ///< closed when the command starts, -1 where nobody waits for that
    uint64_t early;       ///< a bit for each signal that the launcher has handed on already
    int stub;             ///< the memory that becomes the stub, open for writing, -1 for none
    int stub_to_start;    ///< the same, open for reading, where it is a file
    bool stub_is_sealed;
    bool is_script;       ///< the program is text without a #! line: the shell runs it where the kernel does not
    int proc;             ///< the host's /proc, -1 before it was needed
    size_t kept_count;    ///< of plan->kept_fds
    bool mounts_here;     ///< the step mounts something on its target
    mode_t parent_mode;   ///< of directories made on the way to the step's target
    mode_t old_umask;
    struct rlimit file_size; ///< the limit that the command starts with
    size_t next;          ///< the step to go on with, where steps are to be left out
    int group;            ///< to the holder of the group that this process sets up, -1 for none
    int first_user;       ///< the group's first user namespace, where there is another below it, else -1
    unsigned users;       ///< user namespaces made for the group
    struct stat own_user; ///< the user namespace that a group's first process comes from
    bool stays_connected; ///< the holder knows of the end of this process by that of the connection
    uint64_t group_digest;
    uint32_t call;        ///< enum nsrun_call of the failure
    unsigned leftovers;   ///< mount points that the launcher is to take away
    int passed_over;      ///< why a step was left out that is not needed, an errno
    struct nsrun_report *report;
};

/// A place below the new root, resolved once. `path` is canonical, or empty where it was not needed.
struct nsrun_place {
    int fd;
    bool is_root;
    char path[PATH_MAX];
};

/// What a destination should be, and what to do where it is not.
enum nsrun_kind { NSRUN_KIND_DIRECTORY, NSRUN_KIND_FILE, NSRUN_KIND_ANY };

/// Flags of a step that only the executor sets itself.
enum {
    NSRUN_REFUSE_LINK = 1 << 16,  ///< a destination that is a symlink is an error
    NSRUN_SETUID = 1 << 17,       ///< set-user-ID bits of the source stay in force
    NSRUN_ONTO_LINK = 1 << 18,    ///< a destination that is a symlink is itself the destination
};

/// Does one step. 0, or a negative errno, of which `call` says more.
typedef int nsrun_verb(struct nsrun_world *w, const struct nsrun_step *step);

#define NSRUN_OPERATION(name, verb, manner, finds) nsrun_verb verb;
NSRUN_OPERATIONS(NSRUN_OPERATION)
#undef NSRUN_OPERATION

// world.c
void nsrun_world_prepare(struct nsrun_world *w, const struct nsrun_plan *plan, struct nsrun_report *report);
/// Gives this process as large files as the hard limit allows, or what the command is to have of them.
void nsrun_lift_file_size(const struct nsrun_world *w);
int nsrun_restore_file_size(const struct nsrun_world *w);
/// Sends the record, or what there is of it, to the launcher. 0, or a negative errno; with nobody left to read it there is
/// nobody to tell.
int nsrun_send(const struct nsrun_world *w);
/// Waits for the launcher to answer. 0, or a negative errno, where it is gone.
int nsrun_await_answer(struct nsrun_world *w);
/// The host's /proc, opened once; or a negative errno.
int nsrun_open_proc(struct nsrun_world *w);
/// Closes what was opened on the host's side: when the command's own steps begin it is not needed any more.
void nsrun_let_go(struct nsrun_world *w);
/// To be called whenever a mount may have changed what a directory's path leads to.
void nsrun_forget_parent(struct nsrun_world *w);
int nsrun_reopen(struct nsrun_world *w, const char *path);
/// Remembers a file system of this run's own: mount points may be made there.
void nsrun_remember_made(struct nsrun_world *w, int fd);
bool nsrun_is_own(const struct nsrun_world *w, int fd);
bool nsrun_is_closed(const struct nsrun_world *w, int directory);
/// Finds out whether the calls of Linux 5.12 can be had, for the first that asks.
void nsrun_choose_calls(struct nsrun_world *w);
static inline bool nsrun_is_classic(struct nsrun_world *w) {
    if (!w->has_chosen)
        nsrun_choose_calls(w);
    return w->classic;
}

// place.c
int nsrun_place_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                     struct nsrun_place *place);
/// A symlink of the scratch tmpfs, placed.
int nsrun_place_link(struct nsrun_world *w, const char *name, struct nsrun_place *place);
/// `options` are key, value pairs ending with NULL; a value of NULL is a flag.
int nsrun_place_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                           unsigned attributes, struct nsrun_place *place);
/// What is mounted nowhere yet, placed; the descriptor is taken over. Not with the classic calls.
int nsrun_place_mount(struct nsrun_world *w, int mount, bool is_file, struct nsrun_place *place);
int nsrun_clone_tree(int dir, const char *path, unsigned flags);
/// The attributes that the flags of a step give a detached mount, and all below it where they say so.
int nsrun_set_bind_attributes(int tree, unsigned flags);
/// An empty directory in memory with a mode, placed.
int nsrun_place_private(struct nsrun_world *w, mode_t mode, struct nsrun_place *place);
int nsrun_scratch(struct nsrun_world *w);
/// A new file in the scratch tmpfs, open for writing; `name` is its name there.
int nsrun_scratch_file(struct nsrun_world *w, mode_t mode, char name[16]);

// destination.c
/// The mode of a file that is made for something to be mounted on, which bubblewrap lets nobody write to.
static inline mode_t nsrun_place_mode(const struct nsrun_world *w) {
    return w->plan->flags & NSRUN_REFUSE_LINKS ? 0444 : 0644;
}
int nsrun_find(struct nsrun_world *w, const char *path, enum nsrun_kind kind, unsigned flags,
               mode_t mode, struct nsrun_place *place);
/// An existing directory with its canonical path, which nsrun_find() leaves out where it can.
int nsrun_find_directory(struct nsrun_world *w, const char *path, struct nsrun_place *place);
/// Makes something called `name` in a directory of the new root. 0 or a negative errno.
typedef int nsrun_maker(struct nsrun_world *w, int parent, const char *name, const void *what);
/// Lets `make` make the step's target from the step, in a copy of its directory where that cannot be written.
int nsrun_make(struct nsrun_world *w, const struct nsrun_step *step, nsrun_maker *make);
/// Opens a path as the command would, but for one thing: a hostile root's links lead to nothing that is open in
/// this process. A descriptor or a negative errno.
int nsrun_open_inside(const struct nsrun_world *w, const char *path, int flags);

// leftover.c
/// What it is that a run has made for a mount and its launcher is to take away, see include/leftover.h.
bool nsrun_is_leftover(const struct stat *status);
/// Makes such a mount point. 1, or 0 where it has not been made in this way, or a negative errno.
int nsrun_make_leftover(struct nsrun_world *w, int parent, const char *name, enum nsrun_kind kind, mode_t mode);
/// Keeps one that is there from being taken away under this run. 0; -EAGAIN where it is gone; or a negative errno.
int nsrun_claim_leftover(struct nsrun_world *w, int parent, const char *name);

// cover.c
int nsrun_cover(struct nsrun_world *w, struct nsrun_place *place, const char *leave_out);
/// Remembers a directory in memory that is to become read-only when the root is entered.
int nsrun_remember_copy(struct nsrun_world *w, const struct nsrun_place *place, const char *path);
int nsrun_seal(struct nsrun_world *w);

// mounts.c
/// Mounts a new file system on the target of a step.
int nsrun_filesystem(struct nsrun_world *w, const struct nsrun_step *step, const char *type,
                     const char *const *options, unsigned attributes);

// staging.c
int nsrun_workspace(struct nsrun_world *w);
int nsrun_leave_workspace(struct nsrun_world *w);

// classic.c
int nsrun_classic_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                       struct nsrun_place *place);
int nsrun_classic_link(struct nsrun_world *w, const char *name, struct nsrun_place *place);
int nsrun_classic_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                             unsigned attributes, struct nsrun_place *place);
int nsrun_classic_attributes(struct nsrun_world *w, int fd, unsigned long set, bool recursive);

// files.c
/// Copies until the end of `from`, or `limit` bytes where it is not negative.
int nsrun_copy(int from, int to, off_t limit);
/// A regular file of the new root of at most so many bytes, to be read. A descriptor or a negative errno.
int nsrun_open_file(struct nsrun_world *w, const char *path, off_t largest);
/// The text of the step's source, in such a file, bound onto its target.
int nsrun_bind_content(struct nsrun_world *w, const struct nsrun_step *step);
/// Binds such a file onto the step's target.
int nsrun_bind_scratch(struct nsrun_world *w, const char *name, const struct nsrun_step *step);

// identity.c
/// From now on nobody but the host's root can trace this process or read it in /proc, whatever user it is; with it
/// all that shares its memory, until one of these starts a program (PR_SET_DUMPABLE).
/// 0 or a negative errno.
int nsrun_hide(void);

// network.c
/// Sends the kernel a request about its network (rtnetlink(7)) that it acknowledges. 0 or a negative errno.
int nsrun_ask_routes(int fd, const void *request, size_t length);

// join.c
int nsrun_unshare_kinds(struct nsrun_world *w, uint64_t kinds);
/// Gives up a group that was never shared: who waits for it takes over.
void nsrun_leave_group(struct nsrun_world *w);

// executor.c
int nsrun_walk(struct nsrun_world *w, size_t from, size_t to);

// stub.c
struct nsrun_pid_one;
/// Becomes the stub, and by it the program. Returns a negative errno.
int nsrun_start_by_stub(struct nsrun_world *w, const char *path, char *const arguments[]);
/// Becomes the stub as pid 1. Returns a negative errno.
int nsrun_continue_by_stub(struct nsrun_world *w, const struct nsrun_pid_one *one);

// init.c
void nsrun_init(struct nsrun_world *w) __attribute__((noreturn));
