// SPDX-License-Identifier: Apache-2.0
//
// Joining: processes that name the same name share one set of namespaces (MPI ranks of a node).
//
// The first to come binds a unix socket of that name, starts a holder (join_server.c), sets
// everything up and sends the holder descriptors of its namespaces. All others connect, get copies of
// these and enter. Why it is done so:
//
// - Descriptors, not the first one's pid: a namespace lives as long as a descriptor of it, so joining
//   works when the first one has long ended, and no pid can have become another process's.
// - Somebody must answer: the members have become programs that know nothing of this, and the kernel
//   hands a descriptor to nobody but who is sent one. A queue of messages sent beforehand would need a
//   receiving end in every newcomer; a socket that every member inherits would be in the programs, and
//   their children, and reading it out of them takes the right to trace them.
// - A file in a directory that is the user's alone: an abstract name could be taken by anybody before, and be
//   connected to by everybody who shares the network. Who binds it holds a lock on the directory until the
//   holder listens, so that a socket which refuses is one that was left behind.
// - Both sides look at who the other is (SO_PEERCRED), and in which user namespace.

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "detached.h"
#include "digest.h"
#include "executor.h"
#include "join.h"
#include "meeting.h"
#include "passing.h"

/// What an attempt came to, besides an error.
enum { JOINED = 1, LEADING, GONE };

/// What a newcomer must agree with: every step that it will not run itself, unless that comes from where each of them is.
static uint64_t digest_of(const struct nsrun_world *w, const struct nsrun_step *join) {
    struct nsrun_digest digest;
    nsrun_digest_begin(&digest);
    nsrun_mix(&digest, &join->value, sizeof join->value);
    nsrun_mix_steps(&digest, join + 1, w->plan->steps + join->value2, false);
    return nsrun_digest_number(&digest);
}

/// A group's file. Those of a container are others.
static void name_file(const struct nsrun_world *w, const char *name, char file[NSRUN_MEETING_FILE]) {
    char own[80];
    nsrun_name_as_file(name, own, sizeof own);
    snprintf(file, NSRUN_MEETING_FILE, "%llu %s", (unsigned long long)w->own_user.st_ino, own);
}

/// This process by descriptor; `*life` is -1 where the kernel has no such thing (before 5.3), and then the holder knows of
/// its end by that of the connection. 0 or a negative errno.
static int open_own_life(struct nsrun_world *w, int *life) {
    *life = w->plan->flags & NSRUN_NO_PIDFD ? -ENOSYS : nsrun_above_standard(nsrun_process_descriptor(getpid()));
    w->stays_connected = nsrun_is_lacking(*life);
    const int error = *life < 0 && !w->stays_connected ? *life : 0;
    if (*life < 0)
        *life = -1;
    return error;
}

// MARK: The first

/// Two overlays on one directory are undefined (kernel, overlayfs.rst): the holder locks it as long as the group lives. As
/// nsrun_lock_layer().
static int lock_layer(const struct nsrun_step *step) {
    if (step->list == NULL || step->list[0] == NULL)
        return -ENOLCK;
    mkdir(step->list[0], 0755);   // as set-up will, and will say where it cannot
    return nsrun_lock_layer(step->list[0], false);
}

/// Starts the holder at its socket.
static int found(struct nsrun_world *w, struct nsrun_holder *holder, const char *file) {
    struct sockaddr_un address;
    const socklen_t size = nsrun_meeting_address(holder->folder, file, &address);
    int ends[2];
    // Of a holder that was killed.
    if (unlinkat(holder->folder, file, 0) != 0 && errno != ENOENT)
        return -errno;
    int error = bind(holder->listener, (const void *)&address, size) == 0 ? nsrun_socket_pair(ends) : -errno;
    if (error < 0)
        return error;
    holder->leader = ends[1];
    error = open_own_life(w, &holder->life);
    if (error == 0)
        error = nsrun_start_beside(nsrun_hold, holder);
    if (holder->life >= 0)
        close(holder->life);
    close(ends[1]);
    if (error < 0) {
        close(ends[0]);
        unlinkat(holder->folder, file, 0);
        return error;
    }
    w->group = ends[0];
    return LEADING;
}

/// The lock goes over to the holder.
static int lead(struct nsrun_world *w, const struct nsrun_step *step, int folder, const char *file) {
    struct nsrun_holder holder = {
        .listener = nsrun_meeting_socket(),
        .folder = folder,
        .folder_path = step->source,
        .name = step->target,
        .note = step->data,
        .note_length = step->length <= NSRUN_KEPT_NOTE ? step->length : 0,
    };
    strcpy(holder.file, file);
    if (holder.listener < 0)
        return holder.listener;
    holder.layer = lock_layer(step);
    int error = holder.layer;
    if (error == -EWOULDBLOCK)
        w->call = NSRUN_CALL_LAYER;
    else if (error >= 0 || error == -ENOLCK)
        error = found(w, &holder, file);
    close(holder.listener);
    if (holder.layer >= 0)
        close(holder.layer);
    return error;
}

void nsrun_leave_group(struct nsrun_world *w) {
    if (w->group >= 0)
        close(w->group);
    if (w->first_user >= 0)
        close(w->first_user);
    w->group = w->first_user = -1;
}

int nsrun_unshare_kinds(struct nsrun_world *w, uint64_t kinds) {
    // Other namespaces may belong to the first of several user namespaces, and be entered from there only.
    if (w->group >= 0 && (kinds & CLONE_NEWUSER) && w->users++ == 1) {
        w->first_user = nsrun_result(openat(w->proc, "self/ns/user", O_RDONLY | O_CLOEXEC));
        if (w->first_user < 0)
            return w->first_user;
    }
    return unshare((int)kinds) == 0 ? 0 : -errno;
}

int nsrun_unshare(struct nsrun_world *w, const struct nsrun_step *step) { return nsrun_unshare_kinds(w, step->value); }

/// Adds the namespace of this process to the group.
static int add(struct nsrun_world *w, struct nsrun_group *group, int *fds, uint32_t kind,
               const char *file) {
    int fd = nsrun_result(openat(w->proc, file, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    group->kinds[group->count] = kind;
    fds[group->count++] = fd;
    return 0;
}

/// As many whole lines as there is room for.
static void copy_lines(char *to, size_t room, const char *from) {
    for (size_t length; (length = strcspn(from, "\n") + 1) < room && from[length - 1] != 0; from += length) {
        memcpy(to, from, length);
        to += length;
        room -= length;
    }
    *to = 0;
}

int nsrun_share(struct nsrun_world *w, const struct nsrun_step *step) {
    static const struct {
        uint32_t kind;
        const char *file;
    } others[] = {
        {CLONE_NEWIPC, "self/ns/ipc"},  {CLONE_NEWUTS, "self/ns/uts"},
        {CLONE_NEWNET, "self/ns/net"},  {CLONE_NEWCGROUP, "self/ns/cgroup"},
        {CLONE_NEWNS, "self/ns/mnt"},
    };
    struct nsrun_group group = {.digest = w->group_digest};
    int fds[NSRUN_GROUP_KINDS], error = 0;
    strncpy(group.root, step->source, sizeof group.root - 1);
    copy_lines(group.steps, sizeof group.steps, step->data);
    if (w->first_user >= 0) {
        group.kinds[group.count] = CLONE_NEWUSER;
        fds[group.count++] = w->first_user;
        w->first_user = -1;
    } else if (step->value & CLONE_NEWUSER) {
        error = add(w, &group, fds, CLONE_NEWUSER, "self/ns/user");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0] && error == 0; i++)
        if (step->value & others[i].kind)
            error = add(w, &group, fds, others[i].kind, others[i].file);
    if (w->users > 1 && error == 0)
        error = add(w, &group, fds, CLONE_NEWUSER, "self/ns/user");
    if (error == 0)
        error = nsrun_hide();   // as newcomers do, see enter()
    if (error == 0)
        error = nsrun_send_descriptors(w->group, &group, sizeof group, fds, group.count);
    for (unsigned i = 0; i < group.count; i++)
        close(fds[i]);
    if (error == 0 && w->stays_connected)
        return fcntl(w->group, F_SETFD, 0) == 0 ? 0 : -errno;
    nsrun_leave_group(w);
    return error;
}

// MARK: All others

/// The holder must be who we take it for: a process of ours, in our user namespace. A program in a
/// namespace below could have bound the name to lure us into its own world.
static int check_holder(struct nsrun_world *w, int fd) {
    w->call = NSRUN_CALL_STRANGER;
    const int error = nsrun_check_peer(fd, w->proc, &w->own_user, NULL);
    return error > 0 ? GONE : error;
}

static bool has_line(const char *lines, const char *line, size_t length) {
    for (; *lines != 0; lines += strcspn(lines, "\n") + 1)
        if (strncmp(lines, line, length) == 0)
            return true;
    return false;
}

/// Adds the first line of the one that the other has not, or an empty one, to the record.
static void report_line(struct nsrun_report *report, const char *lines, const char *others) {
    size_t length = 0;
    for (; *lines != 0; lines += length) {
        length = strcspn(lines, "\n") + 1;
        if (!has_line(others, lines, length))
            break;
    }
    const size_t most = sizeof report->text / 3 - 1;
    length = *lines == 0 ? 0 : length - 1 < most ? length - 1 : most;
    memcpy(report->text + report->head.length, lines, length);
    report->text[report->head.length + length] = 0;
    report->head.length += (uint32_t)length + 1;
}

/// Both lists may have been cut off.
static void report_difference(struct nsrun_world *w, const struct nsrun_group *group, const char *steps) {
    static char own[NSRUN_GROUP_STEPS];
    copy_lines(own, sizeof own, steps);
    w->call = NSRUN_CALL_OTHER_GROUP;
    const size_t length = strlen(group->root) + 1;
    memcpy(w->report->text, group->root, length);
    w->report->head.length = (uint32_t)length;
    report_line(w->report, group->steps, own);
    report_line(w->report, own, group->steps);
}

static int enter(struct nsrun_world *w, const struct nsrun_step *join, const struct nsrun_group *group,
                 const int *fds) {
    if (group->digest != w->group_digest && join->number != NSRUN_JOIN_EXISTING) {
        report_difference(w, group, w->plan->steps[join->value2 - 1].data);
        return -EEXIST;
    }
    w->call = NSRUN_CALL_STEP;
    // No member, each of which may trace the others, shall get at what is open here until the command starts.
    const int error = nsrun_hide();
    if (error < 0)
        return error;
    for (unsigned i = 0; i < group->count; i++)
        if (setns(fds[i], (int)group->kinds[i]) != 0)
            return -errno;
    return JOINED;
}

/// Asks the holder for the group. GONE where it ends meanwhile, or the first member before it was done.
static int ask(struct nsrun_world *w, const struct nsrun_step *step, int fd) {
    int error = check_holder(w, fd);
    if (error != 0)
        return error;
    w->call = NSRUN_CALL_STEP;
    int life;
    error = open_own_life(w, &life);
    if (error < 0)
        return error;
    struct nsrun_group group;
    int fds[NSRUN_GROUP_KINDS];
    unsigned count = NSRUN_GROUP_KINDS;
    error = nsrun_send_descriptors(fd, "+", 1, &life, life >= 0 ? 1 : 0);
    ssize_t size =
        error < 0 ? error : nsrun_receive_descriptors(fd, &group, sizeof group, fds, &count);
    // Too many descriptors on their way at once: there will be fewer.
    if (size == -EPIPE || size == -ECONNRESET || size == -ETOOMANYREFS)
        size = 0;
    if (size > 0
        && (size != sizeof group || count != group.count || count > NSRUN_GROUP_KINDS
            || memchr(group.root, 0, sizeof group.root) == NULL || memchr(group.steps, 0, sizeof group.steps) == NULL))
        size = -EPROTO;
    error = size < 0 ? (int)size : size == 0 ? GONE : enter(w, step, &group, fds);
    for (unsigned i = 0; size > 0 && i < count; i++)
        close(fds[i]);
    if (life >= 0)
        close(life);
    return error;
}

static int attempt(struct nsrun_world *w, const struct nsrun_step *step) {
    char file[NSRUN_MEETING_FILE];
    bool is_taken = false;
    name_file(w, step->target, file);
    const int folder = nsrun_lock_folder(step->source, nsrun_patience, &is_taken);
    w->call = folder < 0 && !is_taken ? NSRUN_CALL_SOURCE : NSRUN_CALL_STEP;
    if (folder < 0)
        return folder;
    const int fd = nsrun_meeting_socket();
    int error = fd < 0 ? fd : 0;
    if (error == 0)
        error = nsrun_meet(fd, folder, file);
    const bool is_nobodys = error == -ECONNREFUSED || error == -ENOENT;
    if (is_nobodys)
        error = step->number == NSRUN_JOIN_EXISTING ? -ENOENT : lead(w, step, folder, file);
    else if (error == 0 && step->number == NSRUN_JOIN_NEW)
        error = -EEXIST;
    if (error == -ENOENT && step->number == NSRUN_JOIN_EXISTING)
        rmdir(step->source);   // where it was made for nothing
    close(folder);
    if (error == 0)
        error = ask(w, step, fd);
    if (error == JOINED && w->stays_connected)
        fcntl(fd, F_SETFD, 0);
    else if (fd >= 0)
        close(fd);
    return error;
}

int nsrun_join(struct nsrun_world *w, const struct nsrun_step *step) {
    if (nsrun_open_proc(w) < 0)
        return w->proc;
    if (fstatat(w->proc, "self/ns/user", &w->own_user, 0) != 0)
        return -errno;
    w->group_digest = digest_of(w, step);
    int64_t since = nsrun_now();
    for (long pause = 20;;) {
        const int64_t before = nsrun_now();
        int result = attempt(w, step);
        if (result == JOINED) {
            w->next = (size_t)step->value2;
            w->entered = true;
        }
        if (result == JOINED || result == LEADING)
            return 0;
        // Its queue is full, or it is just ending: it is so for a moment only.
        if (result != GONE && result != -EAGAIN && result != -ECONNRESET)
            return result;
        // A group that was waited for and came to nothing is another matter than one that is never there.
        if (nsrun_now() - before > nsrun_patience / 10)
            since = nsrun_now();
        else if (nsrun_now() - since > nsrun_patience)
            return -ETIMEDOUT;
        const struct timespec moment = {.tv_nsec = pause * 1000};
        nanosleep(&moment, NULL);
        pause = pause < 1000 ? pause * 2 : 1000;
    }
}
