// SPDX-License-Identifier: Apache-2.0
//
// The contract between the planner (Swift) and the executor (C).
//
// A plan is a flat array of steps, each about one system call, with every string, descriptor and
// number already resolved. From clone() or unshare() until execve() only this target runs: no
// allocation, no locks, no Swift runtime, no stdio.
//
// Error convention, everywhere in this target: a function returns 0 or a descriptor on success and
// a negative errno on failure; errno itself is looked at only where a system call returns.
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What one step does. The comments name the fields of `nsrun_step` that it reads.
enum nsrun_op {
    NSRUN_OP_UNSHARE,         ///< value: CLONE_NEW* flags
    NSRUN_OP_SETNS,           ///< fd, value: CLONE_NEW* type
    NSRUN_OP_JOIN,            ///< target: the group's name, source: the directory where its processes meet, value:
                              ///< its CLONE_NEW*, value2: the step after those that set it up, and that are left
                              ///< out where it is there
    NSRUN_OP_SHARE,           ///< value: CLONE_NEW*, source: the root in words, data: the steps that set the group up,
                              ///< a line each; others can join from here on
    NSRUN_OP_WRITE,           ///< target: path on the host, data: text, in one write
    NSRUN_OP_AWAIT,           ///< fd: blocks until a byte or end of file can be read
    NSRUN_OP_LIMIT_NAMESPACES, ///< data: how many of each kind
    NSRUN_OP_NEST,            ///< value: CLONE_NEW*, source, data: the id maps of users and groups
    NSRUN_OP_REQUEST,         ///< value: what the launcher is to do, an NSRUN_REPORT_WANTS_*; waits for it
    NSRUN_OP_PROPAGATION,     ///< value: MS_SLAVE or MS_PRIVATE, of every mount
    NSRUN_OP_HOSTNAME,        ///< data
    NSRUN_OP_LOOPBACK,        ///< brings lo up
    NSRUN_OP_FORBID_ADDRESSES, ///< list: internet addresses that become unreachable
    NSRUN_OP_HOST_DIRECTORY,  ///< target: made on the host where it is missing, flags
    NSRUN_OP_ROOT_HOST,       ///< the new root is the host's own
    NSRUN_OP_ROOT_TMPFS,      ///< the new root is an empty tmpfs
    NSRUN_OP_IMAGE,           ///< source: its name, fd: where the device goes to, or with flags the mount
    NSRUN_OP_BIND,            ///< source or fd, target, flags; target "/" replaces the root
    NSRUN_OP_TMPFS,           ///< target, mode, value: bytes or 0
    NSRUN_OP_PROC,            ///< target
    NSRUN_OP_DEVPTS,          ///< target
    NSRUN_OP_MQUEUE,          ///< target
    NSRUN_OP_HOLD,            ///< list: directories of the host's, to be mounted by the next one
    NSRUN_OP_PLACE_HELD,      ///< list: the same ones, list2: the target of each, flags
    NSRUN_OP_SYSFS,           ///< on /sys, of this process's network namespace; list: what is mounted on the one that is
                              ///< there, list2: directories of that, which become empty where there can be no other;
                              ///< flags: in the root that was entered
    NSRUN_OP_BINFMT,          ///< target, list: records for binfmt_misc's `register`
    NSRUN_OP_OVERLAY,         ///< target, list: lower layers (uppermost first), source: upper, data: work, list2: further
                              ///< options, name and value in turn
    NSRUN_OP_ADOPT,           ///< list: files and directories that are made again where their group is not mapped
    NSRUN_OP_COMPLETE,        ///< target: a directory, list: files that it shall have, in a layer in memory
    NSRUN_OP_FILE,            ///< target, fd or data, mode: an ordinary file made in the root
    NSRUN_OP_BIND_DATA,       ///< target, fd or data, mode, flags: a file in memory, bound
    NSRUN_OP_PREPEND,         ///< target, data: the file's own text with data before it, bound
    NSRUN_OP_LINKER_CACHE,    ///< target: the root's, list: names of libraries in the cache's order, list2: their
                              ///< paths, data: an int32_t each with its flags; shown with these before its own
    NSRUN_OP_NEED_GLIBC,      ///< list: candidates for the C library, value: major << 32 | minor
    NSRUN_OP_SYMLINK,         ///< source: text of the link, target
    NSRUN_OP_BIND_LINK,       ///< source: text of a link in memory, bound over target, be that a link itself
    NSRUN_OP_DIRECTORY,       ///< target, mode
    NSRUN_OP_CHMOD,           ///< target, mode
    NSRUN_OP_REMOUNT_RO,      ///< target
    NSRUN_OP_LOCK_FILE,       ///< target
    NSRUN_OP_READ_AHEAD,      ///< list: files, read before they are asked for; the first that is there counts,
                              ///< and the one of list2 that belongs to it
    NSRUN_OP_ENTER,           ///< pivot_root into the new root
    NSRUN_OP_CHDIR,           ///< list: candidates, the last must succeed; list2: "PWD=..." of each
    NSRUN_OP_RLIMIT,          ///< number: RLIMIT_*, value: soft, value2: hard, flags
    NSRUN_OP_IDS,             ///< value: uid, value2: gid
    NSRUN_OP_REDIRECT,        ///< fd, value: the descriptor that becomes it
    NSRUN_OP_SESSION,         ///< setsid
    NSRUN_OP_PROCESS_GROUP,   ///< setpgid
    NSRUN_OP_KEYRING,         ///< a session keyring of its own
    NSRUN_OP_PERSONALITY,     ///< value: PER_*
    NSRUN_OP_DEATH_SIGNAL,    ///< value: the signal when the parent goes
    NSRUN_OP_NO_NEW_PRIVS,
    NSRUN_OP_CAPABILITIES,    ///< data: struct nsrun_capabilities
    NSRUN_OP_ASSERT_NO_USERNS,
    NSRUN_OP_SCOPE,           ///< by Landlock; value: NSRUN_SCOPE_*
    NSRUN_OP_SECCOMP,         ///< data, length: struct sock_filter[]; installed by the stub, where there is one
    NSRUN_OP_SHARE_CHANNEL,   ///< value: the number under which the command's process finds the channel
    NSRUN_OP_STUB,            ///< the memory for the program that starts the command, see stub.c
    NSRUN_OP_EXEC,            ///< list: candidates for the program's path
    NSRUN_OP_COUNT,           ///< how many there are
};

/// Whether the executor has a verb for an operation.
bool nsrun_has_verb(uint32_t op);

/// Flags of a step.
enum {
    NSRUN_RECURSIVE = 1 << 0,     ///< with everything mounted below
    NSRUN_READ_ONLY = 1 << 1,
    NSRUN_DEVICES = 1 << 2,       ///< device nodes may be opened
    NSRUN_TRY = 1 << 3,           ///< a missing source is not an error
    NSRUN_REPLACE_LINK = 1 << 4,  ///< a destination that is a symlink gives way to a real one
    NSRUN_MUST_EXIST = 1 << 5,    ///< a missing destination is not made but skipped
    NSRUN_VOLATILE = 1 << 6,      ///< overlay: nothing needs to reach the disk
    NSRUN_INSIDE = 1 << 7,        ///< the source is a path of the new root; overlay: it is the root itself
    NSRUN_DIRECTORY_ONLY = 1 << 8, ///< the source must be a directory
    NSRUN_ONLY_LOWER = 1 << 9,    ///< a limit that is lower already stays
    NSRUN_MOUNTED = 1 << 10,      ///< the descriptor is a mount already
    NSRUN_NO_EXECUTE = 1 << 11,   ///< no program starts from it
    NSRUN_IMPLIED = 1 << 12,      ///< a file that nobody has asked for: what cannot be bound is copied or passed over
    NSRUN_OWN = 1 << 13,          ///< a directory of the caller's own group, which hands none down
    NSRUN_INCIDENTAL = 1 << 14,   ///< the processes of a group need not agree in it
    NSRUN_COVER_LINK = 1 << 15,   ///< a destination that is a symlink is itself covered by a file, or replaced by a
                                  ///< directory unless the host is spared
};

/// What NSRUN_OP_SCOPE forbids besides abstract sockets and signals.
enum {
    NSRUN_SCOPE_PATHS = 1 << 0,     ///< sockets that have a path, where no mount can follow
    NSRUN_SCOPE_ABSTRACT = 1 << 1,  ///< nothing: signals are allowed
    NSRUN_SCOPE_REQUIRED = 1 << 2,  ///< a kernel that cannot is an error
};

struct nsrun_step {
    uint32_t op;
    uint32_t flags;
    int32_t fd;      ///< a descriptor, -1 where there is none
    int32_t number;
    uint32_t mode;
    uint32_t parent_mode;   ///< of directories made on the way
    uint64_t value;
    uint64_t value2;
    const char *source;
    const char *target;
    const char *data;
    size_t length;   ///< of data, in bytes
    const char *const *list;   ///< ends with NULL
    const char *const *list2;
};

/// What the final drop leaves. Prepared before the clone, because cap_init() allocates.
struct nsrun_capabilities {
    void *sets;          ///< cap_t: the effective, permitted and inheritable sets
    uint64_t bounding;   ///< a bit for each capability that stays in the bounding set
    uint64_t ambient;    ///< a bit for each capability raised in the ambient set
    int count;           ///< how many capabilities this kernel has
};

/// How the processes of a launch are arranged.
enum nsrun_shape {
    NSRUN_SHAPE_COMMAND,   ///< the cloned child becomes the command
    NSRUN_SHAPE_INIT,      ///< the cloned child stays as pid 1 and starts the command
};

enum {
    NSRUN_CLASSIC_MOUNTS = 1 << 0,    ///< mount(2) only
    NSRUN_DETACHED_ROOT = 1 << 1,     ///< the root can be assembled before it is attached (6.15)
    NSRUN_NO_OPENAT2 = 1 << 2,        ///< resolve component by component
    NSRUN_SPARE_HOST = 1 << 3,        ///< no mount point is ever created in a host directory
    NSRUN_MIRROR = 1 << 4,            ///< what cannot be created is made in a copy in memory
    NSRUN_LINGER = 1 << 5,            ///< pid 1 stays until the last process of its namespace ends
    NSRUN_FOLLOW = 1 << 6,            ///< the run ends with the launcher, and with pipes.life
    NSRUN_REFUSE_LINKS = 1 << 7,      ///< a destination that is a symlink is an error
    NSRUN_TOLERATE_SUBMOUNTS = 1 << 8, ///< a submount whose attributes cannot be set is passed over
    NSRUN_TRACE = 1 << 9,             ///< every step is reported with its time
    NSRUN_ANNOUNCE = 1 << 10,         ///< pid 1 reports the start of the command
    NSRUN_ANSWERED = 1 << 11,         ///< and then waits for the launcher's answer
    NSRUN_CLEAN_START = 1 << 12,      ///< the command gets no descriptor above 2 and no ignored signal
    NSRUN_NO_PIDFD = 1 << 13,         ///< do without pidfd_open(2)
    NSRUN_READABLE_INIT = 1 << 14,    ///< pid 1 may be looked at in /proc
    NSRUN_PLACES_BY_UMASK = 1 << 16,  ///< what is made for a mount is as accessible as the umask allows
    NSRUN_HAS_HANDLERS = 1 << 17,     ///< the launching program may handle signals
    NSRUN_OWN_GROUP = 1 << 18,        ///< the run is no part of the launcher's process group
    NSRUN_QUIET_INIT = 1 << 19,       ///< pid 1 takes filters under which it can but wait: the command itself announces
                                      ///< that it starts, and waits for the answer, and gets signals from the launcher
};

struct nsrun_plan {
    const struct nsrun_step *steps;
    size_t count;
    size_t command_start;        ///< the first step that the command's own process runs
    uint64_t clone_flags;        ///< CLONE_NEW* of the child
    uint32_t shape;
    uint32_t flags;
    char *const *arguments;      ///< argv; an argv[0] of NULL stands for the path that was found
    char **environment;
    char **pwd_slot;             ///< the entry of environment that CHDIR sets, or NULL
    char *copies;                ///< room to remember the directories copied into memory
    size_t copies_size;
    int *kept_fds;               ///< descriptors that pid 1 keeps, with room for a lock a step
    size_t kept_count;
    const int *close_fds;        ///< descriptors that the command must not inherit, ends with -1
    uint64_t signal_mask;        ///< the kernel's signal set that the command starts with
    int64_t due;                 ///< when pid 1 sends the command TERM; CLOCK_MONOTONIC in nanoseconds, 0 for never
    int64_t kill_after;          ///< and so many nanoseconds later KILL, negative for never
    const char *failure_words;   ///< in place: how a message begins that the command could not be started,
    const char *filter_words;    ///< or a filter not be installed,
    int failure_status;          ///< and the exit status then
};

/// A record on the channel to the launcher.
enum nsrun_report_kind {
    NSRUN_REPORT_FAILED = 1,   ///< step, error, call; text: the program's path, a NUL, and how its file begins
    NSRUN_REPORT_WANTS_MAPS,   ///< the launcher writes the id maps, then answers
    NSRUN_REPORT_WANTS_NETWORK, ///< it connects the network, then answers
    NSRUN_REPORT_STANDS,       ///< the namespaces stand; the launcher tells of them, then answers
    NSRUN_REPORT_STARTED,      ///< value: the command's pid as pid 1 sees it; 0: it is the sender, and about to start
    NSRUN_REPORT_STOPPED,      ///< value: the signal that stopped the command
    NSRUN_REPORT_SIGNALLED,    ///< value: a signal that the kernel, for a terminal, sent to the run's process group
    NSRUN_REPORT_ENDED,        ///< value: the command's wait status; call: 1 if nothing is left; error: ETIMEDOUT
                               ///< if its time was over; text: its struct rusage
    NSRUN_REPORT_STEP,         ///< step, value: the nanoseconds that it took, error: why it was passed over, 0 if not
};

/// A record the other way.
enum {
    NSRUN_ORDER_GO_ON = '+',   ///< one byte: what was asked for is done
    NSRUN_ORDER_SIGNAL = 's',  ///< and a byte with its number: for the command
    NSRUN_ORDER_GROUP_SIGNAL = 'S', ///< likewise, for its whole process group
};

/// Which part of a step failed, where the step alone does not tell.
enum nsrun_call {
    NSRUN_CALL_STEP,          ///< the step's own system call
    NSRUN_CALL_SOURCE,        ///< opening the source
    NSRUN_CALL_DESTINATION,   ///< reaching the destination
    NSRUN_CALL_CREATE,        ///< making the destination
    NSRUN_CALL_SPARED,        ///< the destination would have had to be made on the host
    NSRUN_CALL_LINK,          ///< the destination is a symlink
    NSRUN_CALL_MIRROR,        ///< copying a directory's entries into memory
    NSRUN_CALL_TYPE,          ///< a directory onto a file, or a file onto a directory
    NSRUN_CALL_ATTRIBUTES,    ///< setting read-only, nosuid, nodev
    NSRUN_CALL_CONTENT,       ///< reading or writing the content of a file
    NSRUN_CALL_RUN,           ///< a program that execve() refused
    NSRUN_CALL_INTERPRETER,   ///< a program whose interpreter is missing
    NSRUN_CALL_OTHER_LINK,    ///< a symlink that exists already; text: what it says, if it is one
    NSRUN_CALL_FORK,          ///< pid 1 could not start the command
    NSRUN_CALL_STRANGER,      ///< who answers to a group's name is none of the caller's
    NSRUN_CALL_OTHER_GROUP,   ///< a group of that name was set up in another way; text: its root, a step of its own and
                              ///< one of this process's that the other has not, each with a NUL
    NSRUN_CALL_WAIT,          ///< pid 1 could not wait for the command
    NSRUN_CALL_LIBRARY,       ///< a C library that is too old; text: its version, empty where there is none
    NSRUN_CALL_NO_EXECUTE,    ///< a program on a mount that forbids them (noexec)
};

enum { NSRUN_REPORT_TEXT = 3072 };

struct nsrun_report_head {
    uint32_t kind;
    int32_t step;
    int32_t error;
    uint32_t call;
    int32_t value;
    uint32_t length;   ///< bytes of text
};

struct nsrun_report {
    struct nsrun_report_head head;
    char text[NSRUN_REPORT_TEXT];
};

/// The text of a record, which Swift would take for a tuple.
const char *nsrun_report_text(const struct nsrun_report *report);

/// What joins launcher and child, all of it close-on-exec.
struct nsrun_links {
    int child, launcher;   ///< the ends of a channel, see nsrun_socket_pair(); each side has one, and notices the other's
                           ///< death by it. What is a socket cannot be opened through /proc.
    int lock;   ///< the launcher's, -1 for none: a directory of the host's, which the child closes
    int life;   ///< readable when a process ends that the run is to end with, -1 for none
};

/// Clones the child and lets it run the plan. The caller is never unshared; safe in a program with
/// threads. Returns the child's pid or a negative errno (clone(2)).
pid_t nsrun_spawn(const struct nsrun_plan *plan, const struct nsrun_links *links);

/// Runs the plan in this very process, which becomes the command. Returns only on failure, with the
/// record filled in. Only for a process with one thread.
void nsrun_run_in_place(const struct nsrun_plan *plan, struct nsrun_report *report);

/// How the dynamic linker's cache orders the names of libraries: numbers in them count as numbers.
int nsrun_compare_libraries(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
