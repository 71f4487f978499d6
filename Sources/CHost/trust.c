// SPDX-License-Identifier: Apache-2.0
//
// Whom a directory or a file may be trusted to be from: by owner and mode, of an open descriptor and never of a path.

#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/host.h"
#include "syscalls.h"

/// Group and others.
enum { OTHERS_WRITE = S_IWGRP | S_IWOTH };

/// The first numbers in a file of the kernel's; how many there are.
static unsigned read_numbers(const char *path, unsigned long numbers[3]) {
    char text[256], *next = text, *end;
    const ssize_t length = nsrun_read_file(path, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    unsigned count = 0;
    for (; count < 3; count++, next = end) {
        numbers[count] = strtoul(next, &end, 10);
        if (end == next)
            break;
    }
    return count;
}

/// Whether every id of the machine is itself here: so it is outside of all user namespaces.
static bool sees_everybody(void) {
    unsigned long line[3];
    return read_numbers("/proc/self/uid_map", line) == 3 && line[0] == 0 && line[1] == 0
           && line[2] == UINT32_MAX;
}

bool nsrun_is_real_root(void) { return geteuid() == 0 && sees_everybody(); }

/// The id that stands for everybody whom this user namespace does not know; -1 outside of all.
static uid_t stranger(void) {
    unsigned long line[3];
    if (sees_everybody())
        return (uid_t)-1;
    return read_numbers("/proc/sys/kernel/overflowuid", line) > 0 ? (uid_t)line[0] : 65534;
}

struct walk {
    uid_t caller, stranger;
    enum nsrun_fault *fault;
};

static int refuse(enum nsrun_fault *fault, enum nsrun_fault what) {
    *fault = what;
    return -EPERM;
}

/// Among those whom a user namespace does not know, real root cannot be told from others, and nearly all of what lies
/// above the caller's own directories is real root's. What is to be trusted itself is never theirs.
static bool is_owner_fit(const struct walk *w, uid_t owner) {
    return owner == w->caller || owner == 0 || owner == w->stranger;
}

/// A directory on the way; the last one must be the caller's alone.
static int check_directory(const struct walk *w, int fd, bool is_last) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return refuse(w->fault, NSRUN_FAULT_KIND);
    if (!is_owner_fit(w, status.st_uid) || (is_last && status.st_uid != w->caller))
        return refuse(w->fault, NSRUN_FAULT_OWNER);
    // Under the sticky bit an entry is safe whose owner is the caller or root, and that is asked of each.
    if ((status.st_mode & OTHERS_WRITE) && (is_last || !(status.st_mode & S_ISVTX)))
        return refuse(w->fault, NSRUN_FAULT_WRITABLE);
    return 0;
}

/// Puts a link's text before what is still to be walked.
static int follow(const struct walk *w, int link, const char *rest, char *pending) {
    struct stat status;
    if (fstat(link, &status) != 0)
        return -errno;
    if (!is_owner_fit(w, status.st_uid))
        return refuse(w->fault, NSRUN_FAULT_OWNER);
    char text[PATH_MAX];
    const ssize_t length = readlinkat(link, "", text, sizeof text);
    if (length < 0)
        return -errno;
    const size_t left = strlen(rest);
    if ((size_t)length + 1 + left >= PATH_MAX)
        return -ENAMETOOLONG;
    memmove(pending + length + 1, rest, left + 1);
    memcpy(pending, text, (size_t)length);
    pending[length] = '/';
    return 0;
}

static int open_name(int parent, const char *name, bool make) {
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd < 0 && errno == ENOENT && make && (mkdirat(parent, name, 0700) == 0 || errno == EEXIST))
        fd = openat(parent, name, flags);
    return nsrun_result(fd);
}

/// Where a descriptor lies, and a name in it.
static void tell(int fd, const char *name, char *place, size_t size) {
    ssize_t length = nsrun_locate_descriptor(fd, place, size);
    if (length < 0)
        length = 0;
    const bool is_top = length == 1 && place[0] == '/';
    snprintf(place + length, size - (size_t)length, "%s%s", *name && !is_top ? "/" : "", name);
}

int nsrun_open_controlled(const char *path, bool make, char *place, size_t size, enum nsrun_fault *fault) {
    char pending[PATH_MAX], name[NAME_MAX + 1] = "";
    *fault = NSRUN_FAULT_NONE;
    snprintf(place, size, "%s", path);
    if (path[0] != '/' && getcwd(pending, sizeof pending) == NULL)
        return -errno;
    const size_t start = path[0] == '/' ? 0 : strlen(pending);
    if ((size_t)snprintf(pending + start, sizeof pending - start, "/%s", path) >= sizeof pending - start)
        return -ENAMETOOLONG;
    struct walk w = {.caller = geteuid(), .stranger = stranger(), .fault = fault};
    int current = nsrun_open("/", O_PATH | O_DIRECTORY), links = 0;
    int error = current < 0 ? current : check_directory(&w, current, false);
    char *rest = pending;
    while (error == 0) {
        rest += strspn(rest, "/");
        const size_t length = strcspn(rest, "/");
        if (length > NAME_MAX)
            error = -ENAMETOOLONG;
        if (length == 0 || error < 0)
            break;
        memcpy(name, rest, length);
        name[length] = 0;
        rest += length;
        const int next = open_name(current, name, make);
        if (next < 0) {
            error = next;
            break;
        }
        struct stat status;
        if (fstat(next, &status) == 0 && S_ISLNK(status.st_mode)) {
            error = ++links > 40 ? -ELOOP : follow(&w, next, rest, pending);
            const bool is_absolute = pending[0] == '/';
            close(next);
            if (error < 0)
                break;
            rest = pending;
            if (is_absolute) {
                close(current);
                current = nsrun_open("/", O_PATH | O_DIRECTORY);
                error = current < 0 ? current : 0;
            }
            continue;
        }
        error = check_directory(&w, next, false);
        if (error < 0) {
            close(next);
            break;
        }
        close(current);
        current = next;
    }
    if (error == 0) {
        name[0] = 0;
        error = check_directory(&w, current, true);
    }
    int fd = error;
    if (error == 0)
        fd = nsrun_result(openat(current, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (current >= 0) {
        tell(current, name, place, size);
        close(current);
    }
    return fd;
}

int nsrun_open_directory(const char *path) { return nsrun_open(path, O_PATH | O_DIRECTORY); }

int nsrun_open_own(int parent, const char *name, enum nsrun_fault *fault) {
    *fault = NSRUN_FAULT_NONE;
    const int fd = nsrun_result(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd == -ELOOP || fd == -ENOTDIR)
        return refuse(fault, NSRUN_FAULT_KIND);
    if (fd < 0)
        return fd;
    struct walk w = {.caller = geteuid(), .stranger = (uid_t)-1, .fault = fault};
    const int error = check_directory(&w, fd, true);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

/// Opens a file that belongs to one of three, and that others cannot write to.
static int open_file(int directory, const char *name, uid_t a, uid_t b, uid_t c, int64_t largest,
                     enum nsrun_fault *fault) {
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    // What is no file may do something when it is opened.
    if (!S_ISREG(status.st_mode))
        return refuse(fault, NSRUN_FAULT_KIND);
    const int fd = nsrun_result(openat(directory, name, flags));
    if (fd < 0)
        return fd;
    int error = fstat(fd, &status) == 0 ? 0 : -errno;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = refuse(fault, NSRUN_FAULT_KIND);
    else if (error == 0 && status.st_uid != a && status.st_uid != b && status.st_uid != c)
        error = refuse(fault, NSRUN_FAULT_OWNER);
    else if (error == 0 && (status.st_mode & OTHERS_WRITE))
        error = refuse(fault, NSRUN_FAULT_WRITABLE);
    else if (error == 0 && status.st_size > largest)
        error = refuse(fault, NSRUN_FAULT_SIZE);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int nsrun_open_record(int root, const char *name, int64_t largest, enum nsrun_fault *fault) {
    *fault = NSRUN_FAULT_NONE;
    struct stat top, status;
    if (fstat(root, &top) != 0)
        return -errno;
    const int directory =
        nsrun_result(openat(root, ".nsrun", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (directory == -ENOTDIR || directory == -ELOOP)
        return refuse(fault, NSRUN_FAULT_KIND);
    if (directory < 0)
        return directory;
    int fd = fstat(directory, &status) == 0 ? 0 : -errno;
    if (fd == 0 && status.st_uid != top.st_uid && status.st_uid != geteuid() && status.st_uid != 0)
        fd = refuse(fault, NSRUN_FAULT_OWNER);
    else if (fd == 0 && (status.st_mode & OTHERS_WRITE))
        fd = refuse(fault, NSRUN_FAULT_WRITABLE);
    if (fd == 0)
        fd = open_file(directory, name, top.st_uid, geteuid(), 0, largest, fault);
    close(directory);
    return fd;
}

/// The last bytes of an image that has a record: a mark, and how long the record before it is, little-endian.
static const char image_mark[16] = "nsrun image 1\n";

static int find_trailer(int fd, int64_t largest, enum nsrun_fault *fault) {
    unsigned char tail[NSRUN_IMAGE_TRAILER];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    const off_t end = status.st_size - (off_t)sizeof tail;
    if (!S_ISREG(status.st_mode) || end < 0)
        return -ENOENT;
    if (pread(fd, tail, sizeof tail, end) != (ssize_t)sizeof tail)
        return -EIO;
    if (memcmp(tail, image_mark, sizeof image_mark) != 0)
        return -ENOENT;
    uint64_t length = 0;
    for (size_t i = sizeof tail; i-- > sizeof image_mark;)
        length = length << 8 | tail[i];
    if (status.st_mode & OTHERS_WRITE)
        return refuse(fault, NSRUN_FAULT_WRITABLE);
    if (length > (uint64_t)largest)
        return refuse(fault, NSRUN_FAULT_SIZE);
    if (length > (uint64_t)end)
        return refuse(fault, NSRUN_FAULT_KIND);
    return lseek(fd, end - (off_t)length, SEEK_SET) < 0 ? -errno : 0;
}

int nsrun_open_trailer(const char *image, int64_t largest, enum nsrun_fault *fault) {
    *fault = NSRUN_FAULT_NONE;
    const int fd = nsrun_open(image, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    const int error = find_trailer(fd, largest, fault);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int nsrun_open_beside(int directory, const char *name, int64_t largest, enum nsrun_fault *fault) {
    *fault = NSRUN_FAULT_NONE;
    struct stat status;
    const uid_t caller = geteuid();
    if (fstat(directory, &status) != 0)
        return -errno;
    if (status.st_uid != caller)
        return refuse(fault, NSRUN_FAULT_OWNER);
    if (status.st_mode & OTHERS_WRITE)
        return refuse(fault, NSRUN_FAULT_WRITABLE);
    return open_file(directory, name, caller, caller, caller, largest, fault);
}
