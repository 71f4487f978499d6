// SPDX-License-Identifier: Apache-2.0
//
// What the launcher asks of the host's files, and reads and writes there, in the shape Swift can call: see host.c.

#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

#include "include/host.h"
#include "syscalls.h"

int nsrun_current_directory(char *buffer, size_t capacity) {
    if (syscall(SYS_getcwd, buffer, capacity) >= 0)
        return 0;
    return errno == ERANGE ? -ENAMETOOLONG : -errno;
}

int64_t nsrun_file_system(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (int64_t)(uint32_t)status.f_type : -errno;
}

int nsrun_fullness(const char *path) {
    struct statfs status;
    if (statfs(path, &status) != 0)
        return -errno;
    if (status.f_blocks > 0 && status.f_bavail == 0)
        return 1;
    return status.f_files > 0 && status.f_ffree == 0 ? 2 : 0;
}

ssize_t nsrun_read_file(const char *path, char *buffer, size_t capacity) {
    int fd = nsrun_open(path, O_RDONLY | O_NOCTTY);
    if (fd < 0)
        return fd;
    ssize_t length = nsrun_read_all(fd, buffer, capacity);
    close(fd);
    return length;
}

ssize_t nsrun_read_below(const char *root, const char *path, char *buffer, size_t capacity) {
    int fd = nsrun_open_below(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fd;
    struct stat status;
    ssize_t length = -EINVAL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        length = nsrun_read_all(fd, buffer, capacity);
    close(fd);
    return length;
}

ssize_t nsrun_read_part(int fd, uint64_t offset, char *buffer, size_t length) {
    ssize_t count;
    do {
        count = pread(fd, buffer, length, (off_t)offset);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int nsrun_device_numbers(const char *path, uint32_t numbers[2]) {
    struct stat status;
    if (stat(path, &status) != 0)
        return -errno;
    numbers[0] = major(status.st_rdev);
    numbers[1] = minor(status.st_rdev);
    return 0;
}

ssize_t nsrun_read_link(const char *path, char *buffer, size_t capacity) {
    const ssize_t length = readlink(path, buffer, capacity - 1);
    if (length < 0)
        return -errno;
    buffer[length] = 0;
    return length;
}

ssize_t nsrun_canonical(const char *path, char *buffer, size_t capacity) {
    char full[PATH_MAX];
    if (realpath(path, full) == NULL)
        return -errno;
    const size_t length = strlen(full);
    if (length >= capacity)
        return -ENAMETOOLONG;
    memcpy(buffer, full, length + 1);
    return (ssize_t)length;
}

int nsrun_is_executable(const char *path) { return access(path, X_OK) == 0; }

int nsrun_is_writable(const char *path) { return access(path, W_OK) == 0; }

int64_t nsrun_file_mode(const char *path, bool follow) {
    struct stat status;
    return fstatat(AT_FDCWD, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0
               ? (int64_t)status.st_mode
               : -errno;
}

int64_t nsrun_owner(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_uid : -errno;
}

int64_t nsrun_file_size(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : -errno;
}

int nsrun_memory_file(const char *data, size_t length) {
    int fd = nsrun_result(memfd_create("nsrun", MFD_CLOEXEC));
    int error = fd < 0 ? fd : nsrun_write_all(fd, data, length);
    if (error < 0 && fd >= 0)
        close(fd);
    return error < 0 ? error : fd;
}

void *nsrun_open_list(const char *path, int *error) {
    DIR *list = opendir(path);
    *error = list == NULL ? -errno : 0;
    return list;
}

const char *nsrun_next_name(void *list, int *error) {
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(list);
    } while (entry != NULL
             && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    *error = -errno;
    return entry != NULL ? entry->d_name : NULL;
}

void nsrun_close_list(void *list) { closedir(list); }

uint64_t nsrun_inode(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

int nsrun_open_for_reading(const char *path) {
    return nsrun_open(path, O_RDONLY | O_NOCTTY);
}

int nsrun_write_quietly(int fd, const char *data, size_t length) {
    const uint64_t pipe = 1ull << (SIGPIPE - 1);
    uint64_t previous = 0;
    int error = nsrun_sigprocmask(SIG_BLOCK, &pipe, &previous);
    if (error < 0)
        return error;
    error = nsrun_write_all(fd, data, length);
    if (error == -EPIPE && (previous & pipe) == 0) {
        const struct timespec now = {0};
        syscall(SYS_rt_sigtimedwait, &pipe, NULL, &now, sizeof pipe);
    }
    nsrun_sigprocmask(SIG_SETMASK, &previous, NULL);
    return error;
}

int nsrun_write_file(const char *path, const char *data, size_t length) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const ssize_t count = write(fd, data, length);
    int error = count < 0 ? -errno : (size_t)count == length ? 0 : -EIO;
    close(fd);
    return error;
}

int nsrun_open_shared(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int nsrun_stamp(const char *path, uint64_t numbers[4]) {
    struct stat status;
    if (stat(path, &status) != 0)
        return -errno;
    numbers[0] = status.st_dev;
    numbers[1] = status.st_ino;
    numbers[2] = (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    numbers[3] = (uint64_t)status.st_size;
    return 0;
}
