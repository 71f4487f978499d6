// SPDX-License-Identifier: Apache-2.0
//
// The mark, and the archive behind it.

#define _GNU_SOURCE
#include "include/nsrun_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/// Volatile, for it is changed in the file and not in the program.
__attribute__((used, aligned(64))) static volatile const struct nsrun_pack_mark mark = {
    .magic = "nsrun-pack-mark-5d1c0e7",
};

uint64_t nsrun_pack_own_kind(void) { return mark.kind; }

uint64_t nsrun_pack_own_offset(void) { return mark.offset; }

const char *nsrun_pack_own_hash(void) { return (const char *)mark.hash; }

static int write_file(struct archive *archive, int directory, const char *path, mode_t mode) {
    int fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    const void *block;
    size_t size;
    int64_t offset;
    int error = 0, result;
    while (error == 0 && (result = archive_read_data_block(archive, &block, &size, &offset)) == ARCHIVE_OK) {
        const char *next = block;
        while (size > 0 && error == 0) {
            const ssize_t count = pwrite(fd, next, size, offset);
            if (count < 0 && errno != EINTR)
                error = -errno;
            if (count > 0) {
                next += count;
                offset += count;
                size -= (size_t)count;
            }
        }
    }
    if (error == 0 && result != ARCHIVE_EOF)
        error = -EIO;
    if (close(fd) != 0 && error == 0)
        error = -errno;
    return error;
}

/// Who runs the file trusts it, so a link of its own may lead its own entries astray; a path that leads out by itself
/// is a damaged archive all the same.
static const char *relative(const char *path) {
    if (path == NULL || path[0] == '/')
        return NULL;
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == 0))
            return NULL;
    }
    return path;
}

static int unfold_entry(struct archive *archive, struct archive_entry *entry, int directory) {
    const char *path = relative(archive_entry_pathname(entry));
    if (path == NULL)
        return -EINVAL;
    // The owner can always remove it again.
    const mode_t mode = archive_entry_perm(entry) & 0777;
    const char *other = archive_entry_hardlink(entry);
    if (other != NULL)
        return relative(other) != NULL && linkat(directory, other, directory, path, 0) == 0 ? 0 : -errno;
    switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
        return mkdirat(directory, path, mode | 0700) == 0 || errno == EEXIST ? 0 : -errno;
    case AE_IFLNK: {
        // NULL, too, where the archive's text is in no charset that libarchive can read.
        const char *target = archive_entry_symlink(entry);
        if (target == NULL)
            return -EINVAL;
        return symlinkat(target, directory, path) == 0 ? 0 : -errno;
    }
    case AE_IFREG:
        return write_file(archive, directory, path, mode | 0600);
    default:
        return 0;
    }
}

int nsrun_pack_unfold(const char *file, uint64_t offset, int directory, const char **cause) {
    static char words[256];
    *cause = NULL;
    const int from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0 || lseek(from, (off_t)offset, SEEK_SET) < 0)
        return -errno;
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    int error = archive == NULL ? -ENOMEM : 0;
    if (error == 0) {
        archive_read_support_filter_gzip(archive);
        archive_read_support_format_tar(archive);
        int result = archive_read_open_fd(archive, from, 1 << 18);
        const mode_t mask = umask(022);
        while (error == 0 && result == ARCHIVE_OK
               && (result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK)
            error = unfold_entry(archive, entry, directory);
        umask(mask);
        if (error == 0 && result != ARCHIVE_EOF)
            error = -EIO;
        if (error == -EIO && archive_error_string(archive) != NULL) {
            strncpy(words, archive_error_string(archive), sizeof words - 1);
            *cause = words;
        }
        archive_read_free(archive);
    }
    close(from);
    return error;
}

int nsrun_pack_lock(int directory, const char *name) {
    const int fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) {
            const int error = -errno;
            close(fd);
            return error;
        }
    return fd;
}
