// Joining: processes that name the same name share one set of namespaces (MPI ranks of a node).
//
// The first to come binds an abstract unix socket of that name, starts a holder (holder.c), sets
// everything up and sends the holder descriptors of its namespaces. All others connect, get copies of
// these and enter. Why it is done so:
//
// - Descriptors, not the first one's pid: a namespace lives as long as a descriptor of it, so joining
//   works when the first one has long ended, and no pid can have become another process's.
// - Somebody must answer: the members have become programs that know nothing of this, and the kernel
//   hands a descriptor to nobody but who is sent one. A queue of messages sent beforehand would need a
//   receiving end in every newcomer; a socket that every member inherits would be in the programs, and
//   their children, and reading it out of them takes the right to trace them.
// - An abstract name: it is bound once, whoever else tries at the same moment, and is gone with its
//   last descriptor. A file would outlive a SIGKILL. The holder has the only one, so that a name which
//   can be bound is one without a group, or one whose first member died while it set up.
// - The name says the user id, and both sides look at who the other is (SO_PEERCRED).

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "beside.h"
#include "join.h"
#include "world.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77   // Linux 6.5
#endif

/// What an attempt came to, besides an error.
enum { JOINED = 1, LEADING, GONE };

/// How long a name may be bound and nobody answer: between bind() and listen() lies one fork. What answers may
/// end before it has said anything, time and again; not for longer, either.
static const int64_t patience = 10ll * 1000 * 1000 * 1000;

static uint64_t mix(uint64_t digest, const void *data, size_t size) {
    for (const unsigned char *byte = data; size-- > 0; byte++)
        digest = (digest ^ *byte) * 0x100000001b3;   // FNV-1a
    return digest;
}

static uint64_t mix_text(uint64_t digest, const char *text) {
    return text == NULL ? mix(digest, "\1", 1) : mix(digest, text, strlen(text) + 1);
}

static uint64_t mix_list(uint64_t digest, const char *const *list) {
    for (; list != NULL && *list != NULL; list++)
        digest = mix_text(digest, *list);
    return mix(digest, "\2", 1);
}

/// What a newcomer must agree with: every step that it will not run itself.
static uint64_t digest_of(const struct nsrun_world *w, const struct nsrun_step *join) {
    uint64_t digest = mix(0xcbf29ce484222325, &join->value, sizeof join->value);
    for (const struct nsrun_step *step = join + 1; step < w->plan->steps + join->value2; step++) {
        const uint64_t numbers[] = {step->op, step->flags, (uint64_t)step->fd, step->mode,
                                    step->parent_mode, step->value, step->value2};
        digest = mix(digest, numbers, sizeof numbers);
        digest = mix_text(mix_text(digest, step->source), step->target);
        digest = step->length > 0 ? mix(digest, step->data, step->length)
                                  : mix_text(digest, step->data);
        digest = mix_list(mix_list(digest, step->list), step->list2);
    }
    return digest;
}

/// Groups of another user, or of a container, have names of their own.
static socklen_t address_of(const struct nsrun_world *w, const struct nsrun_step *step,
                            struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1,
                          "nsrun-join/1/%u/%llu/%s", geteuid(), (unsigned long long)w->own_user.st_ino,
                          step->target);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/// This process by descriptor, or -1 where the kernel has no such thing (before 5.3).
static int own_life(struct nsrun_world *w) {
    const int life = w->plan->flags & NSRUN_NO_PIDFD ? -1 : nsrun_process_descriptor(getpid());
    w->stays_connected = life < 0;
    return life;
}

static int new_socket(void) {
    int fd = nsrun_result(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (fd < 0 || fd > 2)
        return fd;
    // Not in the place of a standard descriptor that the caller has closed.
    int moved = nsrun_result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    close(fd);
    return moved;
}

// MARK: The first

static int lead(struct nsrun_world *w, const struct sockaddr_un *address, socklen_t size) {
    struct nsrun_holder holder = {.listener = new_socket()};
    if (holder.listener < 0)
        return holder.listener;
    int ends[2];
    int error = bind(holder.listener, (const void *)address, size) == 0 ? nsrun_socket_pair(ends)
                                                                        : -errno;
    if (error < 0) {
        close(holder.listener);
        return error;
    }
    holder.leader = ends[1];
    holder.life = own_life(w);
    error = nsrun_start_beside(nsrun_hold, &holder);
    if (holder.life >= 0)
        close(holder.life);
    close(holder.listener);
    close(ends[1]);
    if (error < 0) {
        close(ends[0]);
        return error;
    }
    w->group = ends[0];
    return LEADING;
}

void nsrun_leave_group(struct nsrun_world *w) {
    if (w->group >= 0)
        close(w->group);
    if (w->first_user >= 0)
        close(w->first_user);
    w->group = w->first_user = -1;
}

int nsrun_unshare(struct nsrun_world *w, uint64_t kinds) {
    // Other namespaces may belong to the first of several user namespaces, and be entered from there only.
    if (w->group >= 0 && (kinds & CLONE_NEWUSER) && w->users++ == 1) {
        w->first_user = nsrun_result(openat(w->proc, "self/ns/user", O_RDONLY | O_CLOEXEC));
        if (w->first_user < 0)
            return w->first_user;
    }
    return unshare((int)kinds) == 0 ? 0 : -errno;
}

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
    nsrun_hide();   // as newcomers do, see enter()
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
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -errno;
    w->call = NSRUN_CALL_STRANGER;
    if (peer.uid != geteuid() || peer.pid <= 0)
        return -EACCES;
    int life = -1;
    size = sizeof life;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &life, &size) != 0) {
        // Before Linux 6.16 there is none for a process that has been waited for.
        if (errno != ENOPROTOOPT)
            return GONE;
        life = -1;
    }
    char path[48];
    struct stat other;
    int error = 0;
    snprintf(path, sizeof path, "%d/ns/user", peer.pid);
    if (fstatat(w->proc, path, &other, 0) != 0)
        error = errno == ENOENT || errno == ESRCH ? GONE : -errno;
    else if (other.st_ino != w->own_user.st_ino || other.st_dev != w->own_user.st_dev)
        error = -EACCES;
    // Only of a process that still lives was the number its own.
    struct pollfd end = {.fd = life, .events = POLLIN};
    if (life >= 0) {
        if (error == 0 && poll(&end, 1, 0) == 1)
            error = GONE;
        close(life);
    }
    return error;
}

static int enter(struct nsrun_world *w, const struct nsrun_group *group, const int *fds) {
    if (group->digest != w->group_digest) {
        w->call = NSRUN_CALL_OTHER_GROUP;
        w->report->length = (uint32_t)strnlen(group->root, sizeof group->root);
        memcpy(w->report->text, group->root, w->report->length);
        return -EEXIST;
    }
    w->call = NSRUN_CALL_STEP;
    // No member, each of which may trace the others, shall get at what is open here until the command starts.
    nsrun_hide();
    for (unsigned i = 0; i < group->count; i++)
        if (setns(fds[i], (int)group->kinds[i]) != 0)
            return -errno;
    return JOINED;
}

/// Asks the holder for the group. GONE where it ends meanwhile, or the first member before it was done.
static int ask(struct nsrun_world *w, int fd) {
    int error = check_holder(w, fd);
    if (error != 0)
        return error;
    w->call = NSRUN_CALL_STEP;
    const int life = own_life(w);
    struct nsrun_group group;
    int fds[NSRUN_GROUP_KINDS];
    unsigned count = NSRUN_GROUP_KINDS;
    error = nsrun_send_descriptors(fd, "+", 1, &life, life >= 0 ? 1 : 0);
    ssize_t size =
        error < 0 ? error : nsrun_receive_descriptors(fd, &group, sizeof group, fds, &count);
    // Too many descriptors on their way at once: there will be fewer.
    if (size == -EPIPE || size == -ECONNRESET || size == -ETOOMANYREFS)
        size = 0;
    if (size > 0 && (size != sizeof group || count != group.count || count > NSRUN_GROUP_KINDS))
        size = -EPROTO;
    error = size < 0 ? (int)size : size == 0 ? GONE : enter(w, &group, fds);
    for (unsigned i = 0; size > 0 && i < count; i++)
        close(fds[i]);
    if (life >= 0)
        close(life);
    return error;
}

static int attempt(struct nsrun_world *w, const struct sockaddr_un *address, socklen_t size) {
    int fd = new_socket(), error;
    if (fd < 0)
        return fd;
    // A queue that stays full may be a stranger's who never answers.
    fcntl(fd, F_SETFL, O_NONBLOCK);
    do {
        error = connect(fd, (const void *)address, size) == 0 ? 0 : -errno;
    } while (error == -EINTR);
    fcntl(fd, F_SETFL, 0);
    if (error == -EAGAIN)
        error = -EADDRINUSE;
    if (error == 0)
        error = ask(w, fd);
    if (error == JOINED && w->stays_connected)
        fcntl(fd, F_SETFD, 0);
    else
        close(fd);
    if (error != -ECONNREFUSED)
        return error;
    w->call = NSRUN_CALL_STEP;
    return lead(w, address, size);
}

int nsrun_join(struct nsrun_world *w, const struct nsrun_step *step) {
    if (nsrun_open_proc(w) < 0)
        return w->proc;
    if (fstatat(w->proc, "self/ns/user", &w->own_user, 0) != 0)
        return -errno;
    struct sockaddr_un address;
    const socklen_t size = address_of(w, step, &address);
    w->group_digest = digest_of(w, step);
    int64_t since = nsrun_now();
    for (long pause = 20;;) {
        const int64_t before = nsrun_now();
        int result = attempt(w, &address, size);
        if (result == JOINED) {
            w->next = (size_t)step->value2;
            w->entered = true;
        }
        if (result == JOINED || result == LEADING)
            return 0;
        // Bound and not listening, or just ending: it is one or the other for a moment only.
        if (result != GONE && result != -EADDRINUSE && result != -ECONNRESET)
            return result;
        // A group that was waited for and came to nothing is another matter than one that is never there.
        if (nsrun_now() - before > patience / 10)
            since = nsrun_now();
        else if (nsrun_now() - since > patience)
            return -ETIMEDOUT;
        const struct timespec moment = {.tv_nsec = pause * 1000};
        nanosleep(&moment, NULL);
        pause = pause < 1000 ? pause * 2 : 1000;
    }
}
