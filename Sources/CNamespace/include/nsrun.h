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
    NSRUN_OP_RLIMIT,          ///< fd: RLIMIT_*, value: soft, value2: hard, flags
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
    int32_t fd;      ///< -1 where there is none
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

/// Enters a namespace in this very process (setns(2)); children made afterwards are in it.
int nsrun_enter_namespace(int fd, uint64_t type);

/// Has pid 1 hand a signal on to the command, or to its `whole_group`. No queue of the user's can be too full for that.
int nsrun_order_signal(int channel, pid_t child, int signal, bool whole_group);
/// Sends a signal to the process that a descriptor is of (pidfd_send_signal(2)).
int nsrun_signal_process(int process, int signal);
/// Lets a child go on that waits for the launcher.
void nsrun_order_going_on(int channel);

// What glibc hides from Swift, and the few system calls that the launcher makes outside the plan.

int nsrun_blocked_signals(uint64_t *mask);
int nsrun_block_all_signals(uint64_t *previous);
void nsrun_restore_signals(uint64_t mask);
/// A signalfd(2) for every signal, close-on-exec.
int nsrun_signal_descriptor(void);
/// Reads one signal: its number, and whether the kernel (a terminal, say) sent it to the whole group.
int nsrun_read_signal(int fd, bool *from_kernel, pid_t *sender);
/// 0 and the wait(2) status, or a negative errno; -EAGAIN while the child runs and `block` is false.
int nsrun_wait(pid_t pid, bool block, int *status, struct rusage *usage);
/// Waits until one of three descriptors is readable: bit 0, 1, 2; 0 at the end of the time. -1 stands for none.
int nsrun_poll3(int a, int b, int c, int64_t nanoseconds);
int nsrun_pipe(int fds[2]);
/// A pair of connected sockets that keep records apart (unix(7)), close-on-exec.
int nsrun_socket_pair(int fds[2]);
/// Stops this process, but for no longer than that many nanoseconds, where they are not negative.
int nsrun_stop_self(int64_t nanoseconds);
/// Whether there is a controlling terminal.
bool nsrun_has_terminal(void);
/// The same, open; or a negative errno.
int nsrun_open_terminal(void);
/// Has a child lead a process group of its own; it may do so itself at the same time.
void nsrun_lead_group(pid_t child);
/// Makes a process group the foreground one of a terminal (tcsetpgrp(3)). 0 or a negative errno.
int nsrun_set_terminal_group(int fd, pid_t group);
/// Sends a signal to the process group of this process, which has it blocked.
void nsrun_signal_own_group(int signal);
/// Whether a child has stopped since the last time.
bool nsrun_has_stopped(pid_t child);
/// Whether a signal would end this process, were it not blocked.
bool nsrun_is_deadly(int signal);
/// Ends this process by a signal, as it does by default, without a core. Returns if that does not.
void nsrun_end_by_signal(int signal);
/// The SIGKILL that comes when the thread ends that has started this process (PR_SET_PDEATHSIG).
int nsrun_die_with_parent(void);
/// Gives SIGCHLD, which this program may have been started with ignored, its default action: nobody could be waited for.
void nsrun_heed_children(void);
/// Bytes that this process's stack may have (RLIMIT_STACK).
uint64_t nsrun_stack_limit(void);
/// Closes every descriptor above 2 except the ones given.
void nsrun_close_others(const int *keep, size_t count);

enum nsrun_feature {
    NSRUN_FEATURE_MOUNT_API = 1 << 0,   ///< open_tree, fsopen, move_mount, mount_setattr
    NSRUN_FEATURE_OPENAT2 = 1 << 1,
};
/// Which system calls this kernel has. Changes nothing.
unsigned nsrun_features(void);
/// uname(2): the release and the machine, NUL-terminated in fields of 65 bytes.
int nsrun_uname(char release[65], char machine[65]);
/// Reads at most `capacity` bytes of a regular file; returns the count or a negative errno.
ssize_t nsrun_read_file(const char *path, char *buffer, size_t capacity);
/// From now on it is known who has sent a record (SO_PASSCRED).
void nsrun_identify_senders(int fd);
/// Reads one record; `sender` gets the pid of who has sent it, unless it is NULL. 1, or 0 at the end or where what is there is no record. Blocks only for its first byte.
int nsrun_read_report(int fd, struct nsrun_report *report, pid_t *sender);
/// Reads from a descriptor until it ends or the buffer is full; returns the count or a negative errno.
ssize_t nsrun_read_all(int fd, char *buffer, size_t capacity);
/// Reads at most `capacity` bytes of a regular file below a root, whose links are followed inside it (openat2(2)).
ssize_t nsrun_read_below(const char *root, const char *path, char *buffer, size_t capacity);
/// Reads at most `length` bytes from a place of a file (pread(2)); returns the count or a negative errno.
ssize_t nsrun_read_part(int fd, uint64_t offset, char *buffer, size_t length);
/// The major and minor number of a device node, or a negative errno.
int nsrun_device_numbers(const char *path, uint32_t numbers[2]);
/// How the dynamic linker's cache orders the names of libraries: numbers in them count as numbers.
int nsrun_compare_libraries(const char *a, const char *b);
/// Whether one sequence of bytes occurs in another (memmem(3)).
bool nsrun_holds(const void *bytes, size_t length, const void *part, size_t part_length);
/// realpath(3). Returns the length or a negative errno.
ssize_t nsrun_canonical(const char *path, char *buffer, size_t capacity);
/// The ids of the caller's supplementary groups. Returns their number or a negative errno.
int nsrun_groups(uint32_t *groups, int capacity);
/// 1 if the caller may execute a file, else 0.
int nsrun_is_executable(const char *path);
/// 1 if the caller may write to it, else 0.
int nsrun_is_writable(const char *path);
/// 1 if the kernel runs 32-bit programs of this machine's kind (personality(2)).
int nsrun_runs_32bit(void);
/// The kind of file at a path: its st_mode, or a negative errno.
int64_t nsrun_file_mode(const char *path, bool follow);
/// The names in a directory, one after the other; NULL at the end.
void *nsrun_open_list(const char *path);
const char *nsrun_next_name(void *list);
void nsrun_close_list(void *list);
/// The inode number of what a path leads to, 0 where it cannot be told.
uint64_t nsrun_inode(const char *path);
/// What tells a file from another one and from its own earlier state: device, inode, time of change, size. Left as
/// it is where there is no file.
void nsrun_stamp(const char *path, uint64_t numbers[4]);
/// Runs a program with the environment given and collects what it prints; for helpers such as
/// getent(1) and newuidmap(1). Returns the wait status or a negative errno.
int nsrun_capture(const char *path, char *const argv[], char *const envp[], char *buffer,
                  size_t capacity, size_t *length, bool errors_too);
int nsrun_open_for_reading(const char *path);
/// 1 if the descriptor is open, else 0.
int nsrun_is_open(int fd);
/// Writes all of it, or returns a negative errno.
int nsrun_write_all(int fd, const char *data, size_t length);

/// The same, and a reader that has left sends this thread no SIGPIPE.
int nsrun_write_quietly(int fd, const char *data, size_t length);
/// Writes to a file that is there, in one write; 0 or a negative errno.
int nsrun_write_file(const char *path, const char *data, size_t length);
int nsrun_kill(pid_t pid, int signal);
/// pidfd_open(2): readable once the process has ended. A descriptor or a negative errno.
int nsrun_process_descriptor(pid_t pid);
/// The arguments and the environment of this process, each ending with NULL.
char **nsrun_arguments(void);
char **nsrun_environment(void);
int nsrun_is_terminal(int fd);
pid_t nsrun_terminal_group(int fd);
ssize_t nsrun_terminal_name(int fd, char *buffer, size_t capacity);
int64_t nsrun_now(void);
/// An open directory descriptor with a shared lock (flock LOCK_SH), close-on-exec, or a negative errno.
int nsrun_open_shared(const char *path);

/// Starts the server of a squashfs (squashfuse_ll(1)), which waits for its device to come over `socket` and ends
/// with the file system. `argv` names the device /dev/fd/3 and the image /proc/self/fd/4. What it complains of can
/// be read from `errors`. Nobody's child; 0 or a negative errno.
int nsrun_start_image_server(const char *program, char *const argv[], char *const envp[], int image,
                             int *socket, int *errors);
/// Takes a byte from the descriptor, which it waits for: 1; 0 where that has ended; or a negative errno.
int nsrun_await(int fd);
/// Starts pasta(1) for the network of a run, which it ends with; `run` is the run's first process. It writes a line to
/// `ready` when the network is connected, and both end with it. Nobody's child; 0 or a negative errno.
int nsrun_start_pasta(const char *program, char *const argv[], char *const envp[], pid_t run, int *ready,
                      int *errors);
/// Mounts a squashfs file by the kernel, nowhere yet; for real root. A descriptor of the mount or a negative errno.
int nsrun_mount_squashfs(int image);
/// A file in memory with this content (memfd_create(2)), close-on-exec, or a negative errno.
int nsrun_memory_file(const char *data, size_t length);
/// The id of the owner of what a path leads to, or a negative errno.
int64_t nsrun_owner(const char *path);
/// Calls with all internet addresses by which this host reaches itself, as of its local routes (rtnetlink(7)), in words:
/// an address or a range of them, as 10.0.0.1/32. Not those of loopback interfaces, 127.0.0.0/8 and ::1, nor a link's
/// own. 0 or a negative errno.
int nsrun_each_own_address(void (*visit)(void *context, const char *route), void *context);
/// The size of a file in bytes, or a negative errno.
int64_t nsrun_file_size(const char *path);

// For engines that cannot mount: a private directory of the host's.

/// Where an automounter waits to mount something on a directory, it is asked to, and waited for, so many nanoseconds. 0, or
/// -ETIMEDOUT where it does not answer.
int nsrun_have_mounted(const char *path, int64_t patience);
/// getcwd(2). 0, or a negative errno: -ENAMETOOLONG where it is longer than any path may be.
int nsrun_current_directory(char *buffer, size_t capacity);
/// The type of the file system that a path lies on, as statfs(2) has it, or a negative errno.
int64_t nsrun_file_system(const char *path);
/// What clone(2) answers for namespaces of these kinds, CLONE_NEW*, made by a process that ends at once: 0 or a negative
/// errno.
int nsrun_try_namespaces(uint64_t kinds);
/// Makes a directory with exactly this mode; 0 or a negative errno.
int nsrun_make_directory(const char *path, uint32_t mode);
int nsrun_make_link(const char *text, const char *path);
int nsrun_rename(const char *old, const char *new);
/// The same in an open directory; what is made is for the caller alone.
int nsrun_make_directory_at(int parent, const char *name);
int nsrun_rename_at(int parent, const char *old, const char *new);
/// A descriptor of a directory that only shows where it is (O_PATH), or a negative errno.
int nsrun_open_directory(const char *path);
/// Makes a file that was not there.
int nsrun_make_file(const char *path, const char *bytes, size_t length, uint32_t mode);
/// Removes a directory with all that is in it, whatever its permissions and depth; follows no link, and removes
/// nothing that is mounted there. 0 also where there is none.
int nsrun_remove_tree(const char *path);
/// The same for what is called `name` in an open directory, be it a file. Only the very directory that is open as
/// `expected`, unless that is -1. Ends with -EINTR where `*stop` is not 0, unless `stop` is NULL. Where `size` is not 0,
/// `culprit` gets the path of what could not be removed.
int nsrun_remove_at(int parent, const char *name, int expected, const volatile int *stop, char *culprit,
                    size_t size);

// Whom a directory or a file may be trusted to be from.

/// What speaks against it.
enum nsrun_fault {
    NSRUN_FAULT_NONE,       ///< the call itself failed
    NSRUN_FAULT_OWNER,      ///< it belongs to somebody else
    NSRUN_FAULT_WRITABLE,   ///< others may write to it
    NSRUN_FAULT_KIND,       ///< it is no directory, or no file
    NSRUN_FAULT_SIZE,       ///< it is larger than it may be
};

/// Opens a directory that only the caller (and real root) can change, rename or put another one in the place of: it is
/// the caller's own, every directory on the way to it is his or root's, and others can write to none of them, or only
/// under the sticky bit. Each is looked at by descriptor. With `make`, what is missing is made, for the caller alone.
/// `place` gets the path without links; of a refusal, -EPERM, that of what is to blame, as after any other error.
int nsrun_open_controlled(const char *path, bool make, char *place, size_t size, enum nsrun_fault *fault);
/// Opens what is called `name` in an open directory of that kind: a directory of the caller's own, to which nobody else
/// can write. Follows no link.
int nsrun_open_own(int parent, const char *name, enum nsrun_fault *fault);
/// Opens ROOT/.nsrun/NAME, what nsrun-rootfs keeps in a root file system, for reading. It and its directory must belong
/// to the root's owner, to the caller or to real root, and others can write to neither. Follows no link.
int nsrun_open_record(int root, const char *name, int64_t largest, enum nsrun_fault *fault);
/// Opens a file beside a root for reading, of which the same is true: both the file and the directory are the caller's.
int nsrun_open_beside(int directory, const char *name, int64_t largest, enum nsrun_fault *fault);
/// Whether it is a directory of the caller's own that nobody else may enter.
bool nsrun_is_private(const char *path);
/// Whether the caller is root of the machine, and not of some user namespace.
bool nsrun_is_real_root(void);
/// Whether a directory that the caller may write to lies in a file system in memory from which programs start.
bool nsrun_is_memory(const char *path);
/// Makes a directory for the caller alone that was not there, and locks it as below. A descriptor or a negative errno.
int nsrun_make_private(const char *path);
/// A descriptor of a directory of the caller's own, locked for it alone (flock(2)), or a negative errno.
int nsrun_lock_directory(const char *path);
/// Where on the host a path of a root leads, whose links are followed inside it (openat2(2)). Returns the length or
/// a negative errno.
ssize_t nsrun_locate_below(const char *root, const char *path, char *buffer, size_t capacity);

/// What a command leaves behind becomes this process's child (prctl(2), PR_SET_CHILD_SUBREAPER).
int nsrun_adopt_strays(void);
/// Reaps adopted processes that have ended, but not the child itself. Whether that has stopped since the last time.
bool nsrun_reap_strays(pid_t child);
/// Kills and reaps every child of this process, and theirs.
void nsrun_kill_strays(void);
/// Kills what a tracer traces, then the tracer, for what is traced by nobody goes on as if it never had been. The
/// caller has adopted strays.
void nsrun_kill_traced(pid_t tracer);

/// By these names this program stands in for the loader and for env(1) among what libfakechroot starts.
#define NSRUN_LOADER "nsrun-ld"
#define NSRUN_ENV "nsrun-env"
/// What it does under such a name: does not return, or returns an exit status. -1 under any other name.
int nsrun_stand_in(int argc, char *argv[]);
/// Before a variable's name: it is the command's, and would mean something to proot(1) itself.
#define NSRUN_HIDDEN_VARIABLE "NSRUN_INSIDE_"
/// Runs a program inside of proot(1), and reports its start and end to a descriptor as pid 1 would. Returns an
/// exit status.
int nsrun_run_inside(int fd, const char *path, char *const argv[]);
/// Whether a process may let its parent trace it (ptrace(2)).
bool nsrun_can_trace(void);
/// Whether statx(2) and faccessat2(2) see the one path and not the other.
bool nsrun_sees_root(const char *inside, const char *outside);

/// What a YAML or JSON file says next.
enum nsrun_yaml_kind {
    NSRUN_YAML_END,      ///< of the file
    NSRUN_YAML_SCALAR,   ///< text, is_plain: without quotes
    NSRUN_YAML_LIST,
    NSRUN_YAML_MAP,      ///< keys and values in turn
    NSRUN_YAML_CLOSE,    ///< of the innermost list or map
    NSRUN_YAML_ERROR,    ///< text: what is wrong
};

struct nsrun_yaml_event {
    uint32_t kind;
    uint32_t line;   ///< from 1
    const char *text;
    size_t length;
    bool is_plain;
};

/// Reads bytes that stay where they are; NULL where there is no memory. Anchors, aliases, tags and further documents
/// are errors.
void *nsrun_yaml_open(const char *bytes, size_t length);
/// The text lasts until the next call. Not to be called after an end or an error.
void nsrun_yaml_next(void *reader, struct nsrun_yaml_event *event);
void nsrun_yaml_close(void *reader);

enum nsrun_filter {
    NSRUN_FILTER_FAKE_ROOT,     ///< chown, set*id, setgroups, capset and mknod of devices appear to succeed
    NSRUN_FILTER_FAKE_DEVICES,  ///< the last of these alone
    NSRUN_FILTER_TERMINAL,      ///< TIOCSTI and TIOCLINUX, which put words into a terminal's mouth, fail with EPERM
};

/// Whether a seccomp program lets a pid 1 make the calls that it works by, whatever their arguments.
bool nsrun_filter_allows_pid_one(const void *program, size_t length);

/// Makes a seccomp program. Returns its length in bytes or a negative errno.
ssize_t nsrun_make_filter(enum nsrun_filter kind, char *program, size_t capacity);

uint64_t nsrun_capability_all(void);
/// The number of a capability by its name ("cap_net_admin", "CAP_NET_ADMIN", "net_admin"), or -1.
int nsrun_capability_named(const char *name);
/// Prepares the final drop; frees nothing on failure. Returns 0 or a negative errno.
int nsrun_capabilities_prepare(struct nsrun_capabilities *result, uint64_t held, uint64_t ambient,
                               uint64_t bounding);
void nsrun_capabilities_release(struct nsrun_capabilities *capabilities);
/// The capabilities in this process's permitted set.
uint64_t nsrun_capabilities_held(void);

extern const uint64_t nsrun_clone_newuser, nsrun_clone_newns, nsrun_clone_newpid,
    nsrun_clone_newnet, nsrun_clone_newipc, nsrun_clone_newuts, nsrun_clone_newcgroup;
extern const uint64_t nsrun_ms_slave;

#ifdef __cplusplus
}
#endif
