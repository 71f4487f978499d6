// SPDX-License-Identifier: Apache-2.0
//
// What the launcher asks of the host, and does there, outside of a run: before the clone, and while the run lasts.
#pragma once

#include "io.h"
#include "nsrun.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Enters a namespace in this very process (setns(2)); children made afterwards are in it.
int nsrun_enter_namespace(int fd, uint64_t type);

/// Has pid 1 hand a signal on to the command, or to its `whole_group`. No queue of the user's can be too full for that.
int nsrun_order_signal(int channel, pid_t child, int signal, bool whole_group);
/// Sends a signal to the process that a descriptor is of (pidfd_send_signal(2)).
int nsrun_signal_process(int process, int signal);
/// Lets a child go on that waits for the launcher. 0 or a negative errno.
int nsrun_order_going_on(int channel);

// What glibc hides from Swift, and the few system calls that the launcher makes outside the plan.

int nsrun_blocked_signals(uint64_t *mask);
int nsrun_block_all_signals(uint64_t *previous);
void nsrun_restore_signals(uint64_t mask);
/// Reads one signal: its number, and whether the kernel (a terminal, say) sent it to the whole group.
int nsrun_read_signal(int fd, bool *from_kernel, pid_t *sender);
/// Waits until one of three descriptors is readable: bit 0, 1, 2; 0 at the end of the time. -1 stands for none.
int nsrun_poll3(int a, int b, int c, int64_t nanoseconds);
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
/// Bytes that this process's stack may have (RLIMIT_STACK).
uint64_t nsrun_stack_limit(void);
/// Bytes of address space that it may have (RLIMIT_AS).
uint64_t nsrun_memory_limit(void);

enum nsrun_feature {
    NSRUN_FEATURE_MOUNT_API = 1 << 0,   ///< open_tree, fsopen, move_mount, mount_setattr
    NSRUN_FEATURE_OPENAT2 = 1 << 1,
};
/// Which system calls this kernel has. Changes nothing.
unsigned nsrun_features(void);
/// The version of Landlock (landlock(7)), from 1 on; 0 where there is none.
unsigned nsrun_landlock(void);
/// uname(2): the release and the machine, NUL-terminated in fields of 65 bytes.
int nsrun_uname(char release[65], char machine[65]);
/// The name that this host has on a network (gethostname(2)), NUL-terminated.
void nsrun_host_name(char name[65]);
/// Seconds since 1970 as `1970-01-01T00:00:00Z` (gmtime(3)), an empty text where they are beyond all years.
void nsrun_format_time(int64_t seconds, char *text, size_t size);
/// Reads at most `capacity` bytes of a regular file; returns the count or a negative errno.
ssize_t nsrun_read_file(const char *path, char *buffer, size_t capacity);
/// From now on it is known who has sent a record (SO_PASSCRED).
void nsrun_identify_senders(int fd);
/// Reads one record; `sender` gets the pid of who has sent it, unless it is NULL, `passed` the two descriptors that came
/// with it, -1 for none. 1, or 0 at the end or where what is there is no record. Blocks only for its first byte.
int nsrun_read_report(int fd, struct nsrun_report *report, pid_t *sender, int passed[2]);
/// Reads at most `capacity` bytes of a regular file below a root, whose links are followed inside it (openat2(2)).
ssize_t nsrun_read_below(const char *root, const char *path, char *buffer, size_t capacity);
/// Reads at most `length` bytes from a place of a file (pread(2)); returns the count or a negative errno.
ssize_t nsrun_read_part(int fd, uint64_t offset, char *buffer, size_t length);
/// The major and minor number of a device node, or a negative errno.
int nsrun_device_numbers(const char *path, uint32_t numbers[2]);
/// Whether one sequence of bytes occurs in another (memmem(3)).
bool nsrun_holds(const void *bytes, size_t length, const void *part, size_t part_length);
/// readlink(2). Returns the length or a negative errno; the text gets a NUL.
ssize_t nsrun_read_link(const char *path, char *buffer, size_t capacity);
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
/// The names in a directory, one after the other; NULL at the end, or with a negative errno in `error` where it cannot
/// be read (further).
void *nsrun_open_list(const char *path, int *error);
const char *nsrun_next_name(void *list, int *error);
void nsrun_close_list(void *list);
/// The inode number of what a path leads to, 0 where it cannot be told.
uint64_t nsrun_inode(const char *path);
/// What tells a file from another one and from its own earlier state: device, inode, time of change, size. Left as
/// it is where there is no file. 0 or a negative errno.
int nsrun_stamp(const char *path, uint64_t numbers[4]);
/// What is taken from the mode of files that this process makes (umask(2)).
void nsrun_set_mask(uint32_t mask);
/// Becomes another program (execve(2)). Returns a negative errno, or not at all.
int nsrun_become(const char *path, char *const argv[], char *const envp[]);
/// Runs a program with the environment given and collects what it prints; for helpers such as
/// getent(1) and newuidmap(1). Returns the wait status or a negative errno.
int nsrun_capture(const char *path, char *const argv[], char *const envp[], char *buffer,
                  size_t capacity, size_t *length, bool errors_too);
int nsrun_open_for_reading(const char *path);
/// 1 if the descriptor is open, else 0.
int nsrun_is_open(int fd);

/// The same, and a reader that has left sends this thread no SIGPIPE.
int nsrun_write_quietly(int fd, const char *data, size_t length);
/// Writes to a file that is there, in one write; 0 or a negative errno.
int nsrun_write_file(const char *path, const char *data, size_t length);
int nsrun_kill(pid_t pid, int signal);
/// The arguments and the environment of this process, each ending with NULL.
char **nsrun_arguments(void);
char **nsrun_environment(void);
int nsrun_is_terminal(int fd);
pid_t nsrun_terminal_group(int fd);
ssize_t nsrun_terminal_name(int fd, char *buffer, size_t capacity);
/// An open directory descriptor with a shared lock (flock LOCK_SH), close-on-exec, or a negative errno.
int nsrun_open_shared(const char *path);

/// Starts the server of a squashfs (squashfuse_ll(1)), which waits for its device to come over `socket` and ends
/// with the file system. `argv` names the device /dev/fd/3 and the image /proc/self/fd/4. What it complains of can
/// be read from `errors`. Nobody's child; 0 or a negative errno.
int nsrun_start_image_server(const char *program, char *const argv[], char *const envp[], int image,
                             int *socket, int *errors);
/// Whether a TCP port is free at all addresses of this host: 0, or a negative errno (bind(2)).
int nsrun_try_port(uint16_t port);
/// Starts pasta(1) for the network of a run, which it ends with; `run` is the run's first process. It writes a line to
/// `ready` when the network is connected, and both end with it. Nobody's child; 0 or a negative errno.
int nsrun_start_pasta(const char *program, char *const argv[], char *const envp[], pid_t run, int *ready,
                      int *errors);
/// Mounts a squashfs that begins at an offset of a file by the kernel, nowhere yet; for real root. A descriptor of the
/// mount or a negative errno.
int nsrun_mount_squashfs(int image, uint64_t offset);
/// A file in memory with this content (memfd_create(2)), close-on-exec, or a negative errno.
int nsrun_memory_file(const char *data, size_t length);
/// The id of the owner of what a path leads to, or a negative errno.
int64_t nsrun_owner(const char *path);
/// Calls with all internet addresses by which this host reaches itself, as of its local routes (rtnetlink(7)), in words:
/// an address or a range of them, as 10.0.0.1/32. Not those of loopback interfaces, 127.0.0.0/8 and ::1, nor a link's
/// own. 0 or a negative errno.
int nsrun_each_own_address(void (*visit)(void *context, const char *route), void *context);
enum {
    NSRUN_ADDRESS_SIZE = 46,     ///< bytes of an address in words, with a NUL
    NSRUN_MOST_ADDRESSES = 32,   ///< of a name that count
};
/// Calls with the addresses of a name, or the one that it is itself (getaddrinfo(3)); ports are 0. 0, 1 where it is an
/// address, or a negative errno: -ENOENT where there is no such name, -EAGAIN where nobody answers.
int nsrun_resolve(const char *name, void (*visit)(void *context, const struct nsrun_endpoint *), void *context);
/// An address in words, without its port.
void nsrun_word_address(const struct nsrun_endpoint *endpoint, char text[NSRUN_ADDRESS_SIZE]);

/// Where connections to an address of a run's network go.
struct nsrun_route {
    struct nsrun_endpoint listen;
    const struct nsrun_endpoint *dialled;   ///< at most NSRUN_MOST_ADDRESSES
    unsigned count;
    const char *name;   ///< for messages
};
struct nsrun_relay {
    const struct nsrun_route *routes;
    unsigned count;
    int *doors;                    ///< room for as many descriptors
    const char *prefix;            ///< how a message begins
    const int *codes;              ///< errors, by their errno,
    const char *const *reasons;    ///< and their words, ending with NULL
    int errors;                    ///< where it says which servers cannot be reached
};
/// Starts the relay of a run, which sends its listeners over `socket` (NSRUN_RELAY_*), and ends with the run, or when the
/// socket is closed before all have come; `life` ends with it. What it is given it has a copy of. Nobody's child; 0 or a
/// negative errno.
int nsrun_start_relay(const struct nsrun_relay *relay, int *socket, int *life);
/// The size of a file in bytes, or a negative errno.
int64_t nsrun_file_size(const char *path);

// For engines that cannot mount: a private directory of the host's.

/// Where an automounter waits to mount something on a directory, it is asked to, and waited for, so many nanoseconds. 0, or
/// -ETIMEDOUT where it does not answer.
int nsrun_have_mounted(const char *path, int64_t patience);
/// getcwd(2). 0, or a negative errno: -ENAMETOOLONG where it is longer than any path may be.
int nsrun_current_directory(char *buffer, size_t capacity);
/// What is used up on the file system that a path lies on, as statfs(2) has it: 1 blocks, 2 inodes, 0 neither, or a
/// negative errno.
int nsrun_fullness(const char *path);
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
/// How long the end of an image is that says there is a record before it, in bytes.
#define NSRUN_IMAGE_TRAILER 24
/// Opens a root that is one file, at the record behind its file system; -ENOENT where it has none. Others must not be
/// able to write to it. What is read ends with the NSRUN_IMAGE_TRAILER bytes of the trailer.
int nsrun_open_trailer(const char *image, int64_t largest, enum nsrun_fault *fault);
/// Whether it is a directory of the caller's own that nobody else may enter.
bool nsrun_is_private(const char *path);
/// Whether the caller is root of the machine, and not of some user namespace.
bool nsrun_is_real_root(void);
/// Whether a directory that the caller may write to lies in a file system in memory from which programs start.
bool nsrun_is_memory(const char *path);
/// Makes a directory for the caller alone that was not there, and locks it as below. A descriptor or a negative errno.
int nsrun_make_private(const char *path);
/// A file to write to at its end, made where it is missing; `own`: for the user alone, and not through a link; `anew`: emptied.
/// A descriptor, close-on-exec, or a negative errno.
int nsrun_open_log(const char *path, bool own, bool anew);
/// Makes a process that goes on here beside the caller, in a session of its own, with nothing to read, and `log` and `errors`
/// for its output (fork(2), setsid(2)); for a program of one thread. Its pid, 0 in it, or a negative errno; `channel` becomes
/// the end of a pipe from it, which is close-on-exec.
pid_t nsrun_split(int log, int errors, int *channel);
/// A descriptor of a directory of the caller's own, locked for it alone (flock(2)), or a negative errno.
int nsrun_lock_directory(const char *path);
/// Where on the host a path of a root leads, whose links are followed inside it (openat2(2)). Returns the length or
/// a negative errno.
ssize_t nsrun_locate_below(const char *root, const char *path, char *buffer, size_t capacity);

/// What a command leaves behind becomes this process's child (prctl(2), PR_SET_CHILD_SUBREAPER).
int nsrun_adopt_strays(void);
/// Reaps adopted processes that have ended, but not the child itself. Whether that has stopped since the last time.
bool nsrun_reap_strays(pid_t child);
/// Kills and reaps every child of this process, and theirs; `of_group`: but for who keeps the group that it belongs to.
void nsrun_kill_strays(bool of_group);
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
    NSRUN_FILTER_SERVER,        ///< what opens for writing, makes, removes and changes files, reaches processes or makes
                                ///< sockets fails with EPERM: for a server that only reads
    NSRUN_FILTER_TERMINAL,      ///< TIOCSTI and TIOCLINUX, which put words into a terminal's mouth, fail with EPERM
    NSRUN_FILTER_RELAY,         ///< everything but what handing connections on takes fails with EPERM
    NSRUN_FILTER_DEFAULT,       ///< what a program that nobody vouches for needs none of fails, see profile.c
};

/// A rule's condition: an argument of a call compared with one or two values, by a number of libseccomp's (SCMP_CMP_*).
struct nsrun_comparison {
    uint32_t argument, how;
    uint64_t value, other;
};

/// Begins a filter of a file's, by the actions of libseccomp (SCMP_ACT_*). NULL for want of memory, or an unknown action.
void *nsrun_profile_begin(uint32_t default_action);
/// An architecture whose programs it is for as well, as libseccomp names it (`x86`). 0 or a negative errno.
int nsrun_profile_architecture(void *profile, const char *name);
/// Adds a rule for a call. One that libseccomp does not know is passed over. 0 or a negative errno.
int nsrun_profile_rule(void *profile, uint32_t action, const char *name, const struct nsrun_comparison *compared,
                       unsigned count);
/// Makes the program and forgets the rest: its length in bytes, or a negative errno. `program`: NULL to forget only.
ssize_t nsrun_profile_end(void *profile, char *program, size_t capacity);

/// Whether a seccomp program lets a pid 1 make the calls that it works by, whatever their arguments.
bool nsrun_filter_allows_pid_one(const void *program, size_t length);

/// Makes a seccomp program. Returns its length in bytes or a negative errno.
ssize_t nsrun_make_filter(enum nsrun_filter kind, char *program, size_t capacity);

uint64_t nsrun_capability_all(void);
/// The number of a capability by its name ("cap_net_admin", "CAP_NET_ADMIN", "net_admin"), or -1.
int nsrun_capability_named(const char *name);
/// The name of a capability, in upper case: its length, 0 for a number that has none.
int nsrun_capability_name(int number, char *name, size_t size);
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
