// What the executor knows while it walks a plan, and the verbs its topics share.
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>

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
    int passed_over;      ///< why a step was left out that is not needed, an errno
    struct nsrun_report *report;
};

/// struct linux_dirent64, which glibc does not declare.
struct nsrun_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
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
/// To be called whenever a mount may have changed what a directory's path leads to.
void nsrun_forget_parent(struct nsrun_world *w);
int nsrun_reopen(struct nsrun_world *w, const char *path);
/// Remembers a file system of this run's own: mount points may be made there.
void nsrun_remember_made(struct nsrun_world *w, int fd);
/// Opens what a path of a root leads to, whose links are followed inside it; with or without openat2(2).
/// A descriptor or a negative errno.
int nsrun_open_below(const char *root, const char *path, int flags);
/// Opens a path as the command would, but for one thing: a hostile root's links lead to nothing that is open in
/// this process. A descriptor or a negative errno.
int nsrun_open_inside(const struct nsrun_world *w, const char *path, int flags);
bool nsrun_is_own(const struct nsrun_world *w, int fd);
bool nsrun_is_closed(const struct nsrun_world *w, int directory);

// mirror.c
int nsrun_mirror(struct nsrun_world *w, struct nsrun_place *place, const char *leave_out);
/// Remembers a directory in memory that is to become read-only when the root is entered.
int nsrun_remember_copy(struct nsrun_world *w, const struct nsrun_place *place, const char *path);
int nsrun_seal(struct nsrun_world *w);

// mounts.c
/// Finds out whether the calls of Linux 5.12 can be had, for the first that asks.
void nsrun_choose_calls(struct nsrun_world *w);
static inline bool nsrun_is_classic(struct nsrun_world *w) {
    if (!w->has_chosen)
        nsrun_choose_calls(w);
    return w->classic;
}
int nsrun_place_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                     struct nsrun_place *place);
/// A symlink of the scratch tmpfs, placed.
int nsrun_place_link(struct nsrun_world *w, const char *name, struct nsrun_place *place);
/// `options` are key, value pairs ending with NULL; a value of NULL is a flag.
int nsrun_place_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                           unsigned attributes, struct nsrun_place *place);
/// What is mounted nowhere yet, placed; the descriptor is taken over. Not with the classic calls.
int nsrun_place_mount(struct nsrun_world *w, int mount, struct nsrun_place *place);
/// A new file system, mounted nowhere. Returns its descriptor.
int nsrun_make_filesystem(const char *type, const char *const *options, unsigned attributes);
/// An empty directory in memory with a mode, placed.
int nsrun_place_private(struct nsrun_world *w, mode_t mode, struct nsrun_place *place);
int nsrun_bind(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_tmpfs(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_filesystem(struct nsrun_world *w, const struct nsrun_step *step, const char *type,
                     const char *const *options, unsigned attributes);
int nsrun_remount_read_only(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_root_host(struct nsrun_world *w);
int nsrun_root_tmpfs(struct nsrun_world *w);
int nsrun_enter(struct nsrun_world *w);

// image.c
int nsrun_image(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_read_ahead(struct nsrun_world *w, const struct nsrun_step *step);

// adopt.c
int nsrun_adopt(struct nsrun_world *w, const struct nsrun_step *step);

// sysfs.c
int nsrun_hold_trees(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_place_held(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_sysfs(struct nsrun_world *w, const struct nsrun_step *step);

// binfmt.c
int nsrun_binfmt(struct nsrun_world *w, const struct nsrun_step *step);

// workspace.c
int nsrun_workspace(struct nsrun_world *w);
int nsrun_leave_workspace(struct nsrun_world *w);

// classic.c
int nsrun_classic_bind(struct nsrun_world *w, int source_dir, const char *source, unsigned flags,
                       struct nsrun_place *place);
int nsrun_classic_link(struct nsrun_world *w, const char *name, struct nsrun_place *place);
int nsrun_classic_filesystem(struct nsrun_world *w, const char *type, const char *const *options,
                             unsigned attributes, struct nsrun_place *place);
int nsrun_classic_attributes(struct nsrun_world *w, int fd, unsigned long set, bool recursive);
void nsrun_fd_path(int fd, char path[32]);

// overlay.c
int nsrun_overlay(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_complete(struct nsrun_world *w, const struct nsrun_step *step);

// files.c
/// Copies until the end of `from`, or `limit` bytes where it is not negative.
int nsrun_copy(int from, int to, off_t limit);
int nsrun_scratch(struct nsrun_world *w);
/// A regular file of the new root of at most so many bytes, to be read. A descriptor or a negative errno.
int nsrun_open_file(struct nsrun_world *w, const char *path, off_t largest);
/// A new file in the scratch tmpfs, open for writing; `name` is its name there.
int nsrun_scratch_file(struct nsrun_world *w, mode_t mode, char name[16]);
/// The text of the step's source, in such a file, bound onto its target.
int nsrun_bind_content(struct nsrun_world *w, const struct nsrun_step *step);
/// Binds such a file onto the step's target.
int nsrun_bind_scratch(struct nsrun_world *w, const char *name, const struct nsrun_step *step);
int nsrun_file(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_bind_data(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_bind_link(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_prepend(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_symlink(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_directory(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_chmod(struct nsrun_world *w, const struct nsrun_step *step);

// libraries.c
int nsrun_linker_cache(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_need_glibc(struct nsrun_world *w, const struct nsrun_step *step);

// identity.c
/// From now on nobody but the host's root can trace this process or read it in /proc, whatever user it is; with it
/// all that shares its memory, until one of these starts a program (PR_SET_DUMPABLE).
void nsrun_hide(void);
int nsrun_drop_capabilities(const struct nsrun_capabilities *capabilities);
int nsrun_seccomp(const void *program, size_t length);

// join.c
int nsrun_join(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_share(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_unshare(struct nsrun_world *w, uint64_t kinds);
/// Gives up a group that was never shared: who waits for it takes over.
void nsrun_leave_group(struct nsrun_world *w);

// nest.c
int nsrun_limit_namespaces(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_scope(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_nest(struct nsrun_world *w, const struct nsrun_step *step);

// network.c
int nsrun_loopback(void);
int nsrun_forbid_addresses(const struct nsrun_step *step);

// executor.c
/// The host's /proc, opened once; or a negative errno.
int nsrun_open_proc(struct nsrun_world *w);
/// Closes what was opened on the host's side: when the command's own steps begin it is not needed any more.
void nsrun_let_go(struct nsrun_world *w);
int nsrun_walk(struct nsrun_world *w, size_t from, size_t to);
void nsrun_world_prepare(struct nsrun_world *w, const struct nsrun_plan *plan, struct nsrun_report *report);
/// Gives this process as large files as the hard limit allows, or what the command is to have of them.
void nsrun_lift_file_size(const struct nsrun_world *w);
int nsrun_restore_file_size(const struct nsrun_world *w);
/// Sends the record, or what there is of it, to the launcher.
void nsrun_send(const struct nsrun_world *w);
/// Waits for the launcher to answer. 0, or a negative errno, where it is gone.
int nsrun_await_answer(struct nsrun_world *w);

// descriptors.c
/// Visits every descriptor that is open, by the list in a /proc (-1 for the one at its usual place) or one by one.
void nsrun_each_descriptor(int proc, void (*visit)(void *context, int fd), void *context);
/// close_range(2), of which Linux before 5.9 has nothing, and before 5.11 no CLOSE_RANGE_CLOEXEC.
void nsrun_close_range(unsigned first, unsigned last, unsigned flags);

// stub.c
struct nsrun_pid_one;
/// Makes the memory that the stub will be in.
int nsrun_open_stub(struct nsrun_world *w);
/// Becomes the stub, and by it the program. Returns a negative errno.
int nsrun_start_by_stub(struct nsrun_world *w, const char *path, char *const arguments[]);
/// Becomes the stub as pid 1. Returns a negative errno.
int nsrun_continue_by_stub(struct nsrun_world *w, const struct nsrun_pid_one *one);

// program.c
int nsrun_execute(struct nsrun_world *w, const struct nsrun_step *step);
int nsrun_chdir(struct nsrun_world *w, const struct nsrun_step *step);

// init.c
void nsrun_init(struct nsrun_world *w) __attribute__((noreturn));
