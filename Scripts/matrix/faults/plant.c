// SPDX-License-Identifier: Apache-2.0
//
// A launcher that misbehaves, to see that this is found: plant HOW. All is well while /dev/null can be opened; when it
// cannot, what comes of it is named by HOW, as in self_test.py.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fails(const char *words) {
    fprintf(stderr, "plant: cannot open /dev/null: I/O error%s\n", words);
    return 125;
}

static pid_t leave_process(void) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    setsid();
    pause();
    _exit(0);
}

static void leave_socket(void) {
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "left"};
    bind(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&address, sizeof address);
}

int main(int argc, char **argv) {
    const char *const how = argc > 1 ? argv[1] : "";
    if (!strcmp(how, "orphan")) {  // ends well, unless it is killed
        const pid_t child = leave_process();
        open("/dev/null", O_RDONLY);
        kill(child, SIGKILL);
        puts("ran\tplant\nworld\tgood");
        return 0;
    }
    if (open("/dev/null", O_RDONLY) >= 0 || !strcmp(how, "same")) {
        puts("ran\tplant\nworld\tgood");
        return 0;
    }
    const char *const remedy = "\n  look at the kernel's log (dmesg)";
    if (!strcmp(how, "worded")) return fails(remedy);
    if (!strcmp(how, "bare")) return fails("");
    if (!strcmp(how, "silent")) return 125;
    if (!strcmp(how, "remedy")) return fails("\n  raise the limit on open files (ulimit -n)");
    if (!strcmp(how, "world")) {
        puts("ran\tplant\nworld\tbad");
        return 0;
    }
    if (!strcmp(how, "engine")) {
        fputs("plant: running with another engine\n", stderr);
        return 0;
    }
    if (!strcmp(how, "anyhow")) {
        puts("ran\tplant\nworld\tgood");
        return fails(remedy);
    }
    if (!strcmp(how, "hang")) pause();
    if (!strcmp(how, "crash")) abort();
    if (!strcmp(how, "file")) close(creat("left", 0600));
    if (!strcmp(how, "mount")) {
        mkdir("left", 0700);
        mount("plant", "left", "tmpfs", 0, NULL);
    }
    if (!strcmp(how, "process")) leave_process();
    if (!strcmp(how, "socket")) leave_socket();
    return fails(remedy);
}
