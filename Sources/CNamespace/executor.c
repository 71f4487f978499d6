// Walks the steps of a plan. One step, one verb; a failing step ends the walk.

#define _GNU_SOURCE
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "world.h"

void nsrun_world_prepare(struct nsrun_world *w, const struct nsrun_plan *plan, struct nsrun_report *report) {
    *w = (struct nsrun_world){
        .plan = plan,
        .root = -1,
        .base = -1,
        .scratch = -1,
        .workspace = -1,
        .parent = -1,
        .known_root = -1,
        .proc = -1,
        .group = -1,
        .first_user = -1,
        .kept_count = plan->kept_count,
        .channel = -1,
        .life = -1,
        .ready = -1,
        .stub = -1,
        .stub_to_start = -1,
        .report = report,
        .no_openat2 = plan->flags & NSRUN_NO_OPENAT2,
    };
    w->attached = !(plan->flags & NSRUN_DETACHED_ROOT);
    // Modes are given exactly; the command gets its umask back before it starts. So it does its limit on the size of
    // files, which what is made in memory for it would count against.
    w->old_umask = umask(0);
    if (getrlimit(RLIMIT_FSIZE, &w->file_size) == 0)
        nsrun_lift_file_size(w);
}

void nsrun_lift_file_size(const struct nsrun_world *w) {
    const struct rlimit lifted = {.rlim_cur = w->file_size.rlim_max, .rlim_max = w->file_size.rlim_max};
    if (w->file_size.rlim_cur != w->file_size.rlim_max)
        setrlimit(RLIMIT_FSIZE, &lifted);
}

int nsrun_restore_file_size(const struct nsrun_world *w) {
    const bool is_limited = w->file_size.rlim_cur != RLIM_INFINITY || w->file_size.rlim_max != RLIM_INFINITY;
    return is_limited && setrlimit(RLIMIT_FSIZE, &w->file_size) != 0 ? -errno : 0;
}

void nsrun_send(const struct nsrun_world *w) {
    // With nobody left to read it there is nobody to tell.
    const size_t size = offsetof(struct nsrun_report, text) + w->report->head.length;
    while (send(w->channel, w->report, size, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

int nsrun_await_answer(struct nsrun_world *w) {
    unsigned char order[2];
    for (;;) {
        const ssize_t size = recv(w->channel, order, sizeof order, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)   // the launcher has been killed
            return size < 0 ? -errno : -EPIPE;
        if (size == 1 && order[0] == NSRUN_ORDER_GO_ON)
            return 0;
        if (size == 2 && order[1] >= 1 && order[1] <= 64)
            w->early |= 1ull << (order[1] - 1);
    }
}

const char *nsrun_report_text(const struct nsrun_report *report) { return report->text; }

int nsrun_await(int fd) {
    char byte;
    ssize_t count;
    do {
        count = read(fd, &byte, 1);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : (int)count;
}

static int request(struct nsrun_world *w, uint32_t kind) {
    w->report->head.kind = kind;
    w->report->head.length = 0;
    nsrun_send(w);
    return nsrun_await_answer(w);
}

static int await(const struct nsrun_step *step) {
    const int count = nsrun_await(step->fd);
    return count < 0 ? count : 0;
}

/// A signal when the launcher ends, without the race of one that has ended already: its end of the channel is closed
/// then. For a launcher with one thread, for the kernel means the thread that has made this process.
static int die_with_parent(struct nsrun_world *w, unsigned long signal) {
    if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0)
        return -errno;
    struct pollfd channel = {.fd = w->channel};
    if (w->channel >= 0 && poll(&channel, 1, 0) == 1 && (channel.revents & POLLHUP))
        _exit(128 + SIGKILL);
    return 0;
}

int nsrun_open_proc(struct nsrun_world *w) {
    if (w->proc < 0)
        w->proc = nsrun_open("/proc", O_PATH | O_DIRECTORY);
    return w->proc;
}

void nsrun_let_go(struct nsrun_world *w) {
    int *const own[] = {&w->root, &w->base, &w->scratch, &w->workspace, &w->parent, &w->proc};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (*own[i] >= 0)
            close(*own[i]);
        *own[i] = -1;
    }
}

/// One write to a file of the host's /proc, also where the new root has none or another one.
static int write_once(struct nsrun_world *w, const struct nsrun_step *step) {
    const char *below = step->target + strlen("/proc/");
    int fd = nsrun_open_proc(w) < 0 ? w->proc : nsrun_result(openat(w->proc, below, O_WRONLY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    // An id map takes exactly one write, so a short one is an error rather than a reason to go on.
    size_t length = strlen(step->data);
    ssize_t count = write(fd, step->data, length);
    int error = count < 0 ? -errno : (size_t)count == length ? 0 : -EIO;
    close(fd);
    return error;
}

/// A shared lock that lasts as long as this process: pid 1's where there is one.
static int lock_file(struct nsrun_world *w, const struct nsrun_step *step) {
    int fd = nsrun_open_inside(w, step->target, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    // Pid 1 keeps it open; the command's copy closes at exec, which releases nothing of pid 1's.
    w->plan->kept_fds[w->kept_count++] = fd;
    return 0;
}

static int set_limit(struct nsrun_world *w, const struct nsrun_step *step) {
    struct rlimit limit = {.rlim_cur = step->value, .rlim_max = step->value2}, present;
    if (step->flags & NSRUN_ONLY_LOWER) {
        if (step->fd == RLIMIT_FSIZE)
            present = w->file_size;
        else if (getrlimit(step->fd, &present) != 0)
            return -errno;
        if (present.rlim_max < limit.rlim_max)
            limit.rlim_max = present.rlim_max;
        if (present.rlim_cur < limit.rlim_cur)
            limit.rlim_cur = present.rlim_cur;
    }
    if (step->fd != RLIMIT_FSIZE)
        return setrlimit(step->fd, &limit) == 0 ? 0 : -errno;
    // Not before the last file of this run is made.
    const struct rlimit lifted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur > limit.rlim_max)
        return -EINVAL;
    if (limit.rlim_max > w->file_size.rlim_max && setrlimit(RLIMIT_FSIZE, &lifted) != 0)
        return -errno;
    w->file_size = limit;
    return 0;
}

/// One descriptor becomes another, and stays open when the command starts.
static int redirect(const struct nsrun_step *step) {
    const int target = (int)step->value;
    if (step->fd == target)
        return fcntl(target, F_SETFD, 0) == 0 ? 0 : -errno;
    return dup2(step->fd, target) >= 0 ? 0 : -errno;
}

static int set_ids(const struct nsrun_step *step) {
    // The raw calls: glibc's wrappers signal every thread of the parent's image.
    uid_t uid = (uid_t)step->value;
    gid_t gid = (gid_t)step->value2;
    if (syscall(SYS_setresgid, gid, gid, gid) != 0)
        return -errno;
    return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : -errno;
}

/// Where the kernel has no keys, or a container forbids them, there are none to hide.
static int join_new_keyring(void) {
    const long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    return ring >= 0 || errno == ENOSYS || errno == EPERM ? 0 : -errno;
}

/// With NSRUN_OWN of the caller's own group: where a directory hands its group down (set-group-ID), what is made
/// below would have one that is not mapped, and no overlay takes that.
static int make_host_directory(const struct nsrun_step *step) {
    if (mkdir(step->target, 0755) != 0 && errno != EEXIST)
        return -errno;
    if (!(step->flags & NSRUN_OWN))
        return 0;
    const int fd = nsrun_open(step->target, O_RDONLY | O_DIRECTORY);
    struct stat status;
    // Of somebody else's nothing can be changed: the mount tells.
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_uid == geteuid()
        && (status.st_gid != getegid() || (status.st_mode & S_ISGID))) {
        if (fchown(fd, (uid_t)-1, getegid()) == 0)
            fchmod(fd, status.st_mode & 0777);
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

static int run(struct nsrun_world *w, const struct nsrun_step *step) {
    static const char *const none[] = {NULL};
    static const char *const devpts[] = {"newinstance", NULL, "ptmxmode", "0666", "mode", "0620",
                                         NULL};
    const unsigned strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    switch ((enum nsrun_op)step->op) {
    case NSRUN_OP_UNSHARE:
        return nsrun_unshare(w, step->value);
    case NSRUN_OP_JOIN:
        return nsrun_join(w, step);
    case NSRUN_OP_SHARE:
        return nsrun_share(w, step);
    case NSRUN_OP_SETNS:
        return setns(step->fd, (int)step->value) == 0 ? 0 : -errno;
    case NSRUN_OP_WRITE:
        return write_once(w, step);
    case NSRUN_OP_AWAIT:
        return await(step);
    case NSRUN_OP_LIMIT_NAMESPACES:
        return nsrun_limit_namespaces(w, step);
    case NSRUN_OP_NEST:
        return nsrun_nest(w, step);
    case NSRUN_OP_REQUEST:
        return request(w, (uint32_t)step->value);
    case NSRUN_OP_PROPAGATION:
        return mount(NULL, "/", NULL, MS_REC | step->value, NULL) == 0 ? 0 : -errno;
    case NSRUN_OP_HOSTNAME:
        return sethostname(step->data, strlen(step->data)) == 0 ? 0 : -errno;
    case NSRUN_OP_LOOPBACK:
        return nsrun_loopback();
    case NSRUN_OP_FORBID_ADDRESSES:
        return nsrun_forbid_addresses(step);
    case NSRUN_OP_HOST_DIRECTORY:
        return make_host_directory(step);
    case NSRUN_OP_ROOT_HOST:
        return nsrun_root_host(w);
    case NSRUN_OP_ROOT_TMPFS:
        return nsrun_root_tmpfs(w);
    case NSRUN_OP_IMAGE:
        return nsrun_image(w, step);
    case NSRUN_OP_BIND:
        return nsrun_bind(w, step);
    case NSRUN_OP_TMPFS:
        return nsrun_tmpfs(w, step);
    case NSRUN_OP_PROC:
        return nsrun_filesystem(w, step, "proc", none, strict);
    case NSRUN_OP_DEVPTS:
        return nsrun_filesystem(w, step, "devpts", devpts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    case NSRUN_OP_MQUEUE:
        return nsrun_filesystem(w, step, "mqueue", none, strict);
    case NSRUN_OP_HOLD:
        return nsrun_hold_trees(w, step);
    case NSRUN_OP_PLACE_HELD:
        return nsrun_place_held(w, step);
    case NSRUN_OP_SYSFS:
        return nsrun_sysfs(w, step);
    case NSRUN_OP_BINFMT:
        return nsrun_binfmt(w, step);
    case NSRUN_OP_OVERLAY:
        return nsrun_overlay(w, step);
    case NSRUN_OP_ADOPT:
        return nsrun_adopt(w, step);
    case NSRUN_OP_COMPLETE:
        return nsrun_complete(w, step);
    case NSRUN_OP_FILE:
        return nsrun_file(w, step);
    case NSRUN_OP_BIND_DATA:
        return nsrun_bind_data(w, step);
    case NSRUN_OP_PREPEND:
        return nsrun_prepend(w, step);
    case NSRUN_OP_LINKER_CACHE:
        return nsrun_linker_cache(w, step);
    case NSRUN_OP_NEED_GLIBC:
        return nsrun_need_glibc(w, step);
    case NSRUN_OP_SYMLINK:
        return nsrun_symlink(w, step);
    case NSRUN_OP_BIND_LINK:
        return nsrun_bind_link(w, step);
    case NSRUN_OP_DIRECTORY:
        return nsrun_directory(w, step);
    case NSRUN_OP_CHMOD:
        return nsrun_chmod(w, step);
    case NSRUN_OP_REMOUNT_RO:
        return nsrun_remount_read_only(w, step);
    case NSRUN_OP_LOCK_FILE:
        return lock_file(w, step);
    case NSRUN_OP_READ_AHEAD:
        return nsrun_read_ahead(w, step);
    case NSRUN_OP_ENTER:
        return nsrun_enter(w);
    case NSRUN_OP_CHDIR:
        return nsrun_chdir(w, step);
    case NSRUN_OP_RLIMIT:
        return set_limit(w, step);
    case NSRUN_OP_IDS:
        return set_ids(step);
    case NSRUN_OP_REDIRECT:
        return redirect(step);
    case NSRUN_OP_SESSION:
        return setsid() >= 0 ? 0 : -errno;
    case NSRUN_OP_PROCESS_GROUP:
        return setpgid(0, 0) == 0 ? 0 : -errno;
    case NSRUN_OP_KEYRING:
        return join_new_keyring();
    case NSRUN_OP_PERSONALITY:
        return personality(step->value) >= 0 ? 0 : -errno;
    case NSRUN_OP_DEATH_SIGNAL:
        return die_with_parent(w, step->value);
    case NSRUN_OP_NO_NEW_PRIVS:
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
    case NSRUN_OP_CAPABILITIES:
        return nsrun_drop_capabilities((const struct nsrun_capabilities *)(const void *)step->data);
    case NSRUN_OP_SCOPE:
        return nsrun_scope(w, step);
    case NSRUN_OP_ASSERT_NO_USERNS:
        return unshare(CLONE_NEWUSER) == 0 ? -EEXIST : 0;
    case NSRUN_OP_SECCOMP:
        return w->stub >= 0 ? 0 : nsrun_seccomp(step->data, step->length);
    case NSRUN_OP_SHARE_CHANNEL:
        return dup2(w->channel, (int)step->value) >= 0 ? 0 : -errno;
    case NSRUN_OP_STUB:
        return nsrun_open_stub(w);
    case NSRUN_OP_EXEC:
        return nsrun_execute(w, step);
    }
    return -EINVAL;
}

static void send_time(struct nsrun_world *w, size_t index, int64_t nanoseconds) {
    w->report->head = (struct nsrun_report_head){
        .kind = NSRUN_REPORT_STEP,
        .step = (int32_t)index,
        .value = nanoseconds > INT32_MAX ? INT32_MAX : (int32_t)nanoseconds,
        .error = w->passed_over,
    };
    nsrun_send(w);
}

static bool mounts(uint32_t op) {
    return op != NSRUN_OP_DIRECTORY && op != NSRUN_OP_CHMOD && op != NSRUN_OP_FILE
           && op != NSRUN_OP_SYMLINK;
}

/// A refusal after the newer calls were refused: which it was that made this the classic way.
static void name_lacking(struct nsrun_world *w, int error) {
    if (w->lacking == NULL || !nsrun_is_lacking(error) || w->report->head.length > 0)
        return;
    w->report->head.length = (uint32_t)strlen(w->lacking);
    memcpy(w->report->text, w->lacking, w->report->head.length);
}

int nsrun_walk(struct nsrun_world *w, size_t from, size_t to) {
    for (size_t index = from; index < to; index++) {
        w->call = NSRUN_CALL_STEP;
        w->passed_over = 0;
        w->parent_mode = w->plan->steps[index].parent_mode;
        w->mounts_here = mounts(w->plan->steps[index].op);
        const bool trace = w->plan->flags & NSRUN_TRACE;
        const int64_t before = trace ? nsrun_now() : 0;
        int error = run(w, &w->plan->steps[index]);
        if (trace && error == 0)
            send_time(w, index, nsrun_now() - before);
        if (error == 0 && w->next > index + 1)
            index = w->next - 1;
        if (error < 0) {
            struct nsrun_report_head *report = &w->report->head;
            report->kind = NSRUN_REPORT_FAILED;
            report->step = (int32_t)index;
            report->error = -error;
            report->call = w->call;
            if (w->call != NSRUN_CALL_RUN && w->call != NSRUN_CALL_INTERPRETER
                && w->call != NSRUN_CALL_OTHER_LINK && w->call != NSRUN_CALL_OTHER_GROUP
                && w->call != NSRUN_CALL_LIBRARY && w->call != NSRUN_CALL_NO_EXECUTE)
                report->length = 0;
            name_lacking(w, error);
            return error;
        }
    }
    return 0;
}
