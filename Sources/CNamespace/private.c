// A private directory of the host's, for engines that cannot mount: made before a run, removed after it.

#define _GNU_SOURCE
#include <dirent.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "world.h"

int nsrun_make_directory(const char *path, uint32_t mode) {
    if (mkdir(path, 0700) != 0)
        return -errno;
    // Without the caller's umask.
    return mode == 0700 || chmod(path, mode) == 0 ? 0 : -errno;
}

int nsrun_make_link(const char *text, const char *path) {
    return symlink(text, path) == 0 ? 0 : -errno;
}

int nsrun_rename(const char *old, const char *new) { return rename(old, new) == 0 ? 0 : -errno; }

int nsrun_make_file(const char *path, const char *bytes, size_t length, uint32_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int error = nsrun_write_all(fd, bytes, length);
    if (error == 0 && fchmod(fd, mode) != 0)
        error = -errno;
    close(fd);
    return error;
}

static int open_directory(int parent, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    // A command may have taken its own permission away.
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
        fd = openat(parent, name, flags);
    return nsrun_result(fd);
}

/// Empties the directory `name` of `top`. What has entries of its own is moved up into `top`, where its turn
/// comes: so a tree of any depth takes two descriptors.
static int empty(int top, const char *name, unsigned *serial) {
    int fd = open_directory(top, name);
    if (fd < 0)
        return fd;
    fchmod(fd, 0700);
    DIR *list = fdopendir(fd);
    if (list == NULL) {
        close(fd);
        return -ENOMEM;
    }
    int error = 0;
    struct dirent *entry;
    while (error == 0 && (entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR)
            error = -errno;
        else if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) {
            char moved[32];
            fchmodat(fd, entry->d_name, 0700, AT_SYMLINK_NOFOLLOW);
            do {
                snprintf(moved, sizeof moved, ".removed-%u", (*serial)++);
            } while (faccessat(top, moved, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
            if (renameat(fd, entry->d_name, top, moved) != 0)
                error = -errno;
        }
    }
    closedir(list);
    return error;
}

int nsrun_remove_tree(const char *path) {
    int top = open_directory(AT_FDCWD, path);
    if (top < 0)
        return top == -ENOENT ? 0 : top;
    int error = 0;
    unsigned serial = 0;
    // Each round removes what the last one has moved up.
    for (bool again = true; again && error == 0;) {
        again = false;
        int copy = nsrun_result(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        DIR *list = copy < 0 ? NULL : fdopendir(copy);
        if (list == NULL) {
            if (copy >= 0)
                close(copy);
            error = -EMFILE;
            break;
        }
        struct dirent *entry;
        while (error == 0 && (entry = readdir(list)) != NULL) {
            const char *name = entry->d_name;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(top, name, 0) == 0)
                continue;
            if (errno == EISDIR && (error = empty(top, name, &serial)) == 0)
                again = unlinkat(top, name, AT_REMOVEDIR) == 0 || errno == ENOENT || again;
            else if (errno != ENOENT && error == 0)
                error = -errno;
        }
        closedir(list);
    }
    close(top);
    if (error == 0 && rmdir(path) != 0 && errno != ENOENT)
        error = -errno;
    return error;
}

bool nsrun_is_private(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid()
           && (status.st_mode & 077) == 0;
}

bool nsrun_is_memory(const char *path) {
    struct statfs filesystem;
    return statfs(path, &filesystem) == 0 && filesystem.f_type == TMPFS_MAGIC
           && !(filesystem.f_flags & ST_NOEXEC) && access(path, W_OK) == 0;
}

int nsrun_make_private(const char *path) {
    for (;;) {
        if (mkdir(path, 0700) != 0)
            return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        // Who sweeps may have taken it for one that was left behind, and then it is gone.
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return -errno;
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
        }
        struct stat locked, there;
        if (fstat(fd, &locked) == 0 && lstat(path, &there) == 0 && locked.st_ino == there.st_ino
            && locked.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
}

int nsrun_lock_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat status;
    int error = 0;
    if (fstat(fd, &status) != 0 || status.st_uid != getuid())
        error = -EPERM;
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

ssize_t nsrun_locate_below(const char *root, const char *path, char *buffer, size_t capacity) {
    int fd = nsrun_open_below(root, path, O_PATH);
    if (fd < 0)
        return fd;
    char name[32];
    nsrun_fd_path(fd, name);
    ssize_t length = readlink(name, buffer, capacity - 1);
    int error = -errno;
    close(fd);
    if (length < 0)
        return error;
    buffer[length] = 0;
    return length;
}
