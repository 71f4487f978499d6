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

#include "operations.h"
#include "reuse.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What one step does, see operations.h.
enum nsrun_op {
#define NSRUN_OPERATION(name, verb, manner, finds) NSRUN_OP_##name,
    NSRUN_OPERATIONS(NSRUN_OPERATION)
#undef NSRUN_OPERATION
    NSRUN_OP_COUNT,   ///< how many there are
};

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
    NSRUN_OVER_HOSTS = 1 << 19,   ///< what is there is the host's own, and must not be seen
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

/// Where something listens by TCP.
struct nsrun_endpoint {
    uint8_t address[16];   ///< IPv4 has the first four
    uint16_t port;
    uint8_t version;       ///< of the internet's protocol, 4 or 6
    uint8_t is_optional;   ///< done without where this network has no IPv6
};

/// What a run sends to its relay: a number and a descriptor, those of listeners from 0 on.
enum {
    NSRUN_RELAY_LIFE = -1,   ///< the run's first process
    NSRUN_RELAY_ALL = -2,    ///< no descriptor: that is all. The relay answers by an int32_t, 0 or a negative errno
};

/// Which group NSRUN_OP_JOIN takes (`number`).
enum nsrun_join_manner {
    NSRUN_JOIN_EITHER,     ///< one that was set up in the same way; else it sets one up
    NSRUN_JOIN_EXISTING,   ///< one that is there, however it was set up; else -ENOENT
    NSRUN_JOIN_NEW,        ///< it sets one up; -EEXIST where there is one
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
    NSRUN_TAKE_AWAY = 1 << 20,        ///< the launcher takes mount points away that were made for this run
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
    NSRUN_REPORT_STOPPED,      ///< value: the signal that stopped the command; error: how many SIGCONT had come till then
    NSRUN_REPORT_SIGNALLED,    ///< value: a signal that the kernel, for a terminal, sent to the run's process group
    NSRUN_REPORT_ENDED,        ///< value: the command's wait status; call: 1 if nothing is left; error: ETIMEDOUT
                               ///< if its time was over; text: its struct rusage
    NSRUN_REPORT_LEFTOVER,     ///< text: the name of a mount point that was made; with the descriptors of its directory
                               ///< and of itself, locked: see leftover.h
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
    NSRUN_CALL_LAYER,         ///< another run uses the directory that is to keep a group's changes
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
    const struct nsrun_prepared *prepared;   ///< the world that the child starts from a copy of; NULL for none
    int group;    ///< the control group that the child is made in, -1 for the launcher's; the child closes it,
    int keeper;   ///< and this, -1 for none, by which the launcher holds on to that
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
