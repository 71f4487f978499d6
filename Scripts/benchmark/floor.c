// SPDX-License-Identifier: Apache-2.0
//
// The floor: what a static C program needs for what `nsrun --rootfs R COMMAND` does. The same
// namespaces, mounts and exec, written as tightly as the kernel allows, with nothing to configure:
// destinations are paths (R is trusted), no signal is forwarded, any failure just ends it. What
// nsrun takes beyond this is the price of being nsrun.
//
//     floor [--in-place] R COMMAND...
//     floor --suite COMMAND...
//
// --in-place is the floor of `nsrun --share-pid`: no pid namespace, and the command replaces it.
// --suite is that of `nsrun --preset test`, without limits: the host's own root, and no network.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const char *const links[][2] = {
    {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
};
static const char *const none[] = {NULL};
static const char *const world_writable[] = {"mode", "1777", NULL};
static const char *const shared_read[] = {"mode", "755", NULL};
static const char *const owner_only[] = {"mode", "700", NULL};
static const char *const terminals[] = {"ptmxmode", "0666", "mode", "0620", NULL};

static const char *step = "start";   // for the message, should one fail

static long must(long result) {
    if (result < 0) {
        perror(step);
        _exit(125);
    }
    return result;
}

static void write_file(const char *path, const char *text) {
    step = path;
    int fd = (int)must(open(path, O_WRONLY | O_CLOEXEC));
    must(write(fd, text, strlen(text)));
    close(fd);
}

static void attach(int mount, int dir, const char *path) {
    step = path;
    must(syscall(SYS_move_mount, mount, "", dir, path,
                 MOVE_MOUNT_F_EMPTY_PATH | (path[0] ? 0 : MOVE_MOUNT_T_EMPTY_PATH)));
}

static void bind_to(int from, const char *source, uint64_t attributes, int dir, const char *path) {
    step = source;
    int tree = (int)must(syscall(SYS_open_tree, from, source,
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    struct mount_attr set = {.attr_set = attributes};
    if (attributes != 0)
        must(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &set,
                     sizeof set));
    attach(tree, dir, path);
    close(tree);
}

static int filesystem(const char *type, const char *const *options, unsigned attributes) {
    step = type;
    int context = (int)must(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
    for (; *options != NULL; options += 2)
        must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0));
    must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int mount = (int)must(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
    close(context);
    return mount;
}

static int mount_at(const char *type, const char *const *options, unsigned attributes, int dir,
                    const char *path) {
    int mount = filesystem(type, options, attributes | MOUNT_ATTR_NOSUID);
    attach(mount, dir, path);
    return mount;
}

/// Copies a file of the host or of the root: its lines that start with `name:`, or all of it.
static void copy_lines(int to, const char *path, const char *name) {
    static char text[256 * 1024];
    step = path;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return;
    ssize_t size = must(read(from, text, sizeof text - 1));
    close(from);
    text[size] = 0;
    if (name == NULL) {
        must(write(to, text, (size_t)size));
        return;
    }
    const size_t length = strlen(name);
    for (char *line = text; *line != 0; line += strcspn(line, "\n") + 1)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            must(write(to, line, strcspn(line, "\n") + 1));
}

static void make_devices(int dev) {
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        char path[16] = "/dev/";
        must(mknodat(dev, nodes[i], S_IFREG | 0644, 0));
        bind_to(AT_FDCWD, strcat(path, nodes[i]), MOUNT_ATTR_NOSUID, dev, nodes[i]);
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        must(symlinkat(links[i][1], dev, links[i][0]));
    must(mkdirat(dev, "pts", 0755));
    must(mkdirat(dev, "shm", 01777));
    mount_at("devpts", terminals, MOUNT_ATTR_NOEXEC, dev, "pts");
    mount_at("tmpfs", world_writable, MOUNT_ATTR_NODEV, dev, "shm");
}

/// The four files of /etc that are not the root's own: bound one by one where the root has a place
/// for each, else shown by an overlay, which costs less than a copy of the directory.
static void make_etc(int root, const char *rootfs, const char *user) {
    static const char *const accounts[] = {"passwd", "group"};
    static const char *const host_files[] = {"resolv.conf", "hosts"};
    const unsigned strict = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    char path[4096];
    bool complete = true;
    int layer = filesystem("tmpfs", shared_read, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    attach(layer, root, "run");   // older kernels need it attached; the private /run covers it
    int etc = (int)must(openat(root, "etc", O_PATH | O_CLOEXEC));
    for (int i = 0; i < 2; i++) {
        int file = (int)must(openat(layer, accounts[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        snprintf(path, sizeof path, "/etc/%s", accounts[i]);
        copy_lines(file, path, user);
        snprintf(path, sizeof path, "%s/etc/%s", rootfs, accounts[i]);
        copy_lines(file, path, NULL);
        close(file);
        complete = complete && faccessat(etc, accounts[i], F_OK, 0) == 0
                   && faccessat(etc, host_files[i], F_OK, 0) == 0;
    }
    if (!complete) {
        for (int i = 0; i < 2; i++)
            must(mknodat(layer, host_files[i], S_IFREG | 0644, 0));
        step = "overlay";
        snprintf(path, sizeof path, "/proc/self/fd/%d:/proc/self/fd/%d", layer, etc);
        int context = (int)must(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC));
        must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "lowerdir", path, 0));
        must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
        etc = (int)must(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, strict));
        attach(etc, root, "etc");
    }
    for (int i = 0; i < 2; i++) {
        if (complete)
            bind_to(layer, accounts[i], strict, etc, accounts[i]);
        snprintf(path, sizeof path, "/etc/%s", host_files[i]);
        bind_to(AT_FDCWD, path, strict, etc, host_files[i]);
    }
}

/// A private, empty $HOME; its parent, as /home in a new Debian, is taken to be empty.
static void make_home(int root) {
    char *home = strdup(getenv("HOME") + 1), *last = strrchr(home, '/');
    const char *place = home;
    struct stat status;
    if (last != NULL && fstatat(root, home, &status, 0) != 0) {
        *last = 0;
        root = mount_at("tmpfs", shared_read, MOUNT_ATTR_NODEV, root, home);
        must(mkdirat(root, place = last + 1, 0700));
    }
    mount_at("tmpfs", owner_only, MOUNT_ATTR_NODEV, root, place);
}

static void drop_capabilities(void) {
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct nothing[2] = {0};
    must(syscall(SYS_capset, &header, nothing));
}

static void map_to_itself(uid_t uid, gid_t gid) {
    char map[32];
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
}

/// Lays a directory over the caller's root, of which `/..` is what lies on top then.
static int cover_root(const char *path, unsigned attributes) {
    bind_to(AT_FDCWD, path, attributes, AT_FDCWD, "/");
    return (int)must(open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int make_rootfs_view(const char *rootfs, bool own_pids) {
    const unsigned strict = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    int root = cover_root(rootfs, strict);
    make_etc(root, rootfs, getenv("USER"));
    bind_to(AT_FDCWD, "/sys", strict, root, "sys");
    make_devices(mount_at("tmpfs", shared_read, MOUNT_ATTR_NODEV, root, "dev"));
    if (own_pids)
        mount_at("proc", none, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, root, "proc");
    else
        bind_to(AT_FDCWD, "/proc", 0, root, "proc");
    mount_at("tmpfs", world_writable, MOUNT_ATTR_NODEV, root, "tmp");
    mount_at("tmpfs", world_writable, MOUNT_ATTR_NODEV, root, "var/tmp");
    mount_at("tmpfs", shared_read, MOUNT_ATTR_NODEV, root, "run");
    make_home(root);
    return root;
}

/// The host's root with private directories, of which one filesystem holds all, and the caller's own.
static int make_suite_view(const char *cwd) {
    const char *const places[] = {"tmp", "var/tmp", "dev/shm", getenv("HOME") + 1};
    const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    step = "lo";
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int any = (int)must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    must(ioctl(any, SIOCSIFFLAGS, &lo));
    close(any);
    step = "sethostname";
    must(sethostname("test", 4));

    int root = cover_root("/", MOUNT_ATTR_NOSUID);
    mount_at("proc", none, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, root, "proc");
    int layer = mount_at("tmpfs", shared_read, MOUNT_ATTR_NODEV, root, "dev/shm");
    for (int i = 0; i < 4; i++) {
        const char name[] = {(char)('0' + i), 0};
        must(mkdirat(layer, name, i < 3 ? 01777 : 0700));
        bind_to(layer, name, 0, root, places[i]);
    }
    char path[4096];
    snprintf(path, sizeof path, "%s", cwd + 1);
    for (char *slash = path; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = 0;
        mkdirat(root, path, 0755);
    }
    mkdirat(root, path, 0755);
    bind_to(AT_FDCWD, ".", attributes, root, path);
    return root;
}

/// A NULL for the rootfs is the view of `--suite`.
static void enter(const char *rootfs, bool own_pids, uid_t uid, gid_t gid) {
    char cwd[4096];
    step = "getcwd";
    if (getcwd(cwd, sizeof cwd) == NULL)
        must(-1);
    map_to_itself(uid, gid);
    umask(0);
    int root = rootfs != NULL ? make_rootfs_view(rootfs, own_pids) : make_suite_view(cwd);
    umask(022);

    step = "pivot_root";
    must(fchdir(root));
    must(syscall(SYS_pivot_root, ".", "."));
    must(umount2(".", MNT_DETACH));
    if (chdir(cwd) != 0)
        must(chdir("/"));
    drop_capabilities();
}

static int run(void *command) {
    step = ((char **)command)[0];
    execvp(step, command);
    must(-1);
    return 127;
}

int main(int argc, char **argv) {
    const bool suite = argc > 1 && strcmp(argv[1], "--suite") == 0;
    const bool own_pids = argc < 2 || strcmp(argv[1], "--in-place") != 0;
    char **command = argv + (suite || own_pids ? 2 : 3);
    if (command - argv >= argc || getenv("HOME") == NULL || getenv("USER") == NULL) {
        fputs("usage: floor [--in-place] R COMMAND... or floor --suite COMMAND..., with HOME and USER set\n",
              stderr);
        return 125;
    }
    const char *const rootfs = suite ? NULL : command[-1];
    const uid_t uid = getuid();
    const gid_t gid = getgid();
    step = "namespaces";
    if (!own_pids) {
        must(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        enter(rootfs, own_pids, uid, gid);
        return run(command);
    }
    const int namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID
                           | (suite ? CLONE_NEWNET | CLONE_NEWUTS : 0);
    int status;
    long child = must(syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0));
    if (child > 0) {
        must(waitpid((pid_t)child, &status, 0));
        return WEXITSTATUS(status);
    }
    enter(rootfs, own_pids, uid, gid);
    static char stack[64 * 1024] __attribute__((aligned(64)));
    pid_t started = (pid_t)must(
        clone(run, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, command));
    for (;;) {   // pid 1 reaps everything and ends with the command
        pid_t ended = wait(&status);
        if (ended == started || ended < 0)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}
