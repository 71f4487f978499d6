// SPDX-License-Identifier: Apache-2.0
//
// Prints all that a run gives its command, a line each, so that the worlds of two runs can be compared. Each line is
// "NAME<tab>VALUE". The first says that the command ran at all.
//
//   probe NAMESPACES    the host's namespaces, as "mnt:4026531841,pid:4026531836,"
//   probe --hold        says so and sleeps instead, and keeps a world in being for others to join
//
// Static, for it is run in roots without any library.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

// ---- The process ----

static void print_identity(void) {
    gid_t groups[256];
    printf("ids\t%d %d %d %d, groups", getuid(), geteuid(), getgid(), getegid());
    const int count = getgroups(256, groups);
    for (int i = 0; i < count; i++) printf(" %d", groups[i]);
    // Numbers differ from run to run; what they say does not.
    printf("\npid\t%s, parent %s\n", getpid() == 1 ? "1" : getpid() < 10 ? "small" : "large",
           getppid() == 0 ? "outside" : getppid() == 1 ? "1" : "another");
    printf("session\t%s, group %s\n", getsid(0) == getpid() ? "own" : getsid(0) == 0 ? "outside" : "another",
           getpgrp() == getpid() ? "own" : "another");
}

// The lines of a file of /proc/PID/status that tell what may be done.
static void print_status(const char *path, const char *name) {
    static const char *const wanted[] = {"Cap",     "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt",
                                         "Groups:", "Umask:",     NULL};
    char line[4096];
    FILE *file = fopen(path, "re");
    if (!file) printf("%s\t%s\n", name, strerrorname_np(errno));
    while (file && fgets(line, sizeof line, file))
        for (const char *const *key = wanted; *key; key++)
            if (!strncmp(line, *key, strlen(*key))) {
                line[strcspn(line, ":")] = 0;
                printf("%s %s\t%s", name, line, line + strlen(line) + 1);
            }
    if (file) fclose(file);
}

static void print_process(void) {
    char path[4096];
    print_identity();
    print_status("/proc/self/status", "own");
    printf("directory\t%s\n", getcwd(path, sizeof path) ? path : strerrorname_np(errno));
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    printf("dumpable\t%d\ndeath signal\t%d\n", prctl(PR_GET_DUMPABLE), death);
    printf("personality\t%lx\n", syscall(SYS_personality, 0xffffffff));
    printf("securebits\t%d\n", prctl(PR_GET_SECUREBITS));
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        if (!getrlimit(i, &limit)) printf("limit %d\t%lx %lx\n", i, limit.rlim_cur, limit.rlim_max);
    }
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        char target[4096];
        const ssize_t length = readlink(path, target, sizeof target - 1);
        if (fcntl(fd, F_GETFD) < 0) continue;
        target[length > 0 ? length : 0] = 0;
        target[strcspn(target, "[")] = 0;  // pipe:[123]
        printf("descriptor %d\t%s %s\n", fd, target, fcntl(fd, F_GETFD) ? "closed on exec" : "");
    }
    for (char **variable = environ; *variable; variable++) {
        const int name = (int)strcspn(*variable, "=");
        printf("variable %.*s\t%s\n", name, *variable, *variable + name);
    }
}

// ---- Its namespaces ----

static void print_file(const char *path) {
    char text[8192];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (length < 0) {
        printf("text %s\t%s\n", path, strerrorname_np(errno));
    } else {
        for (ssize_t i = 0; i < length; i++)
            if (text[i] == '\n') text[i] = '|';
        printf("text %s\t%.*s\n", path, (int)length, text);
    }
    if (fd >= 0) close(fd);
}

static void print_namespaces(const char *host) {
    static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time", NULL};
    for (const char *const *name = names; *name; name++) {
        char path[64], id[64];
        struct stat status;
        snprintf(path, sizeof path, "/proc/self/ns/%s", *name);
        if (stat(path, &status)) {
            printf("namespace %s\t%s\n", *name, strerrorname_np(errno));
            continue;
        }
        snprintf(id, sizeof id, "%s:%lu,", *name, (unsigned long)status.st_ino);
        printf("namespace %s\t%s\n", *name, strstr(host, id) ? "host's" : "own");
    }
    print_file("/proc/self/uid_map");
    print_file("/proc/self/gid_map");
    print_file("/proc/self/setgroups");
    print_file("/proc/sys/user/max_user_namespaces");
    struct utsname name;
    uname(&name);
    printf("host name\t%s %s\n", name.nodename, name.machine);
    struct if_nameindex *interfaces = if_nameindex();
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (struct if_nameindex *i = interfaces; i && i->if_index; i++) {
        struct ifreq request = {0};
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", i->if_name);
        const int failed = ioctl(fd, SIOCGIFFLAGS, &request);
        printf("interface %s\t%s\n", i->if_name, failed ? "?" : request.ifr_flags & IFF_UP ? "up" : "down");
    }
    close(fd);
}

// ---- What it sees ----

// Where, how and of what type each mount is, which of them propagate, and whether the superblock is read-only.
static void print_mounts(void) {
    char line[8192];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file) printf("mounts\t%s\n", strerrorname_np(errno));
    while (file && fgets(line, sizeof line, file)) {
        char place[4096], options[1024], type[256], source[4096], super[4096];
        char *const tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %*s %4095s %1023s", place, options) != 2 ||
            sscanf(tail, " - %255s %4095s %4095s", type, source, super) != 3)
            continue;
        *tail = 0;
        printf("mount %s\t%s %s%s%s\n", place, type, options, strncmp(super, "ro", 2) ? "" : ", superblock ro",
               strstr(line, "shared:") || strstr(line, "master:") ? ", propagates" : "");
    }
    if (file) fclose(file);
}

static int is_visible(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static void print_directory(const char *path) {
    struct dirent **entries;
    const int count = scandir(path, &entries, is_visible, alphasort);
    printf("directory %s\t%s", path, count < 0 ? strerrorname_np(errno) : "");
    for (int i = 0; i < count; i++) printf(" %s", entries[i]->d_name);
    putchar('\n');
}

static void print_access(const char *path, int flags) {
    const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    printf("open %s %s\t%s\n", path, (flags & O_ACCMODE) == O_RDONLY ? "r" : "w",
           fd < 0 ? strerrorname_np(errno) : "yes");
    if (fd < 0) return;
    close(fd);
    if (flags & O_CREAT) unlink(path);
}

static void print_files(void) {
    static const char *const directories[] = {"/",     "/tmp", "/var/tmp", "/run", "/dev", "/dev/shm",
                                              "/etc", "/home", "/usr/bin", NULL};
    static const char *const closed[] = {"/probe", "/usr/probe", "/etc/probe", "/tmp/probe", "/var/tmp/probe",
                                         "/dev/probe", "/dev/shm/probe", "/run/probe", "/proc/probe", NULL};
    for (const char *const *path = directories; *path; path++) print_directory(*path);
    if (getenv("HOME")) print_directory(getenv("HOME"));
    for (const char *const *path = closed; *path; path++) print_access(*path, O_WRONLY | O_CREAT);
    print_access("/dev/null", O_WRONLY);
    print_access("/dev/urandom", O_RDONLY);
    print_access("/dev/ptmx", O_RDWR);
    print_access("/proc/1/environ", O_RDONLY);
    print_access("/proc/sys/kernel/hostname", O_WRONLY);
    for (const char *const *path = (const char *[]){"passwd", "group", "hosts", "resolv.conf", "hostname", NULL}; *path;
         path++) {
        char whole[64];
        snprintf(whole, sizeof whole, "/etc/%s", *path);
        print_file(whole);
    }
    int others = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *entry; all && (entry = readdir(all));) others += atoi(entry->d_name) > 0;
    if (all) closedir(all);
    printf("processes\t%s\n", others == 0 ? "none" : others <= 3 ? "few" : "many");
    // Pid 1 is nsrun's own where the world has processes of its own.
    if (others > 0 && others <= 3) {
        print_directory("/proc/1/fd");
        print_status("/proc/1/status", "pid 1");
    }
}

static _Noreturn void hold(void) {
    puts("holds");
    fflush(stdout);
    while (1) pause();
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--hold")) hold();
    setvbuf(stdout, malloc(1 << 18), _IOFBF, 1 << 18);
    printf("ran\t%s\n", argv[0]);
    print_process();
    print_namespaces(argc > 1 ? argv[1] : "");
    print_mounts();
    print_files();
    puts("end\t");
    // A deadline or a signal that comes meanwhile is to find it in the middle of nothing.
    return fflush(stdout) ? 1 : 0;
}
