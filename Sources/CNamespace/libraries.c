// SPDX-License-Identifier: Apache-2.0
//
// Libraries of the host's in a root: found by its dynamic linker, and no newer than its C library.
//
// The linker looks into /etc/ld.so.cache before it looks into directories, so a copy of the root's own with more
// entries does what ldconfig(8) would, without a program of the root, and whatever the root is made of. The
// format is that of glibc 2.2 and later; the root's file is hostile, every number in it is tried.

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "include/parsers.h"
#include "executor.h"

static const char old_magic[] = "ld.so-1.7.0";
static const char magic[] = "glibc-ld.so.cache1.1";

enum {
    LARGEST_CACHE = 16 << 20,
    LARGEST_LIBC = 64 << 20,
    OLD_HEADER = 16,   ///< of the format before glibc 2.2, which ldconfig wrote in front until 2.31
    OLD_ENTRY = 12,
    MOST_SECTIONS = 64,
    SECTION_NAMES = 1,   ///< the section that holds offsets of names (glibc-hwcaps)
};

/// The file's beginning; all offsets in it count from here.
struct header {
    char magic[20];
    uint32_t count;
    uint32_t strings;   ///< their size
    uint8_t order;      ///< of bytes: 2 little, 3 big, 0 not told
    uint8_t padding[3];
    uint32_t extensions;
    uint32_t unused[3];
};

struct entry {
    int32_t flags;
    uint32_t name, path;
    uint32_t system;
    uint64_t capabilities;
};

struct extensions {
    uint32_t magic, count;
    struct {
        uint32_t tag, flags, offset, size;
    } sections[];
};

static const uint32_t extension_magic = 0xeaa42174;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static unsigned long number(const char **text) {
    unsigned long value = 0;
    for (; is_digit(**text); (*text)++)
        value = value * 10 + (unsigned long)(**text - '0');
    return value;
}

int nsrun_compare_libraries(const char *a, const char *b) {
    while (*a != 0) {
        if (is_digit(*a) && is_digit(*b)) {
            const unsigned long left = number(&a), right = number(&b);
            if (left != right)
                return left < right ? -1 : 1;
        } else if (is_digit(*a) != is_digit(*b)) {
            return is_digit(*a) ? 1 : -1;   // a digit is more than any letter
        } else if (*a != *b) {
            return *a - *b;
        } else {
            a++, b++;
        }
    }
    return *a - *b;
}

/// Memory that was nothing before, as nothing may be allocated here. Ends with the program's start.
static char *map(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/// The content of a regular file of the root with a NUL behind it. Its size, 0 where there is none to be had.
static ssize_t content(struct nsrun_world *w, const char *path, off_t limit, char **bytes) {
    const int file = nsrun_open_file(w, path, limit);
    if (file < 0)
        return nsrun_is_out_of_reach(file) || file == -EINVAL || file == -EISDIR || file == -EFBIG ? 0 : file;
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size == 0) {
        close(file);
        return 0;
    }
    *bytes = map((size_t)status.st_size + 1);
    ssize_t size = *bytes == NULL ? -ENOMEM
                                  : nsrun_read_all(file, *bytes, (size_t)status.st_size);
    close(file);
    if (size < 0 && *bytes != NULL)
        munmap(*bytes, (size_t)status.st_size + 1);
    return size;
}

/// Where the newer format begins, which may follow the old one; NULL where it is not there whole, or has a name
/// that is longer than a file's: a million entries could name one text that fills the rest, and each is compared.
static const struct header *find_header(const char *bytes, size_t size) {
    size_t at = 0;
    if (size > OLD_HEADER && memcmp(bytes, old_magic, sizeof old_magic - 1) == 0) {
        uint32_t count;
        memcpy(&count, bytes + OLD_HEADER - sizeof count, sizeof count);
        if (count > size / OLD_ENTRY)
            return NULL;
        at = (OLD_HEADER + (size_t)count * OLD_ENTRY + 7) / 8 * 8;
    }
    if (size < sizeof(struct header) || at > size - sizeof(struct header)
        || memcmp(bytes + at, magic, sizeof magic - 1) != 0)
        return NULL;
    const struct header *header = (const void *)(bytes + at);
    const size_t rest = size - at;
    if (header->count > (rest - sizeof *header) / sizeof(struct entry))
        return NULL;
    const struct entry *entries = (const void *)(header + 1);
    const char *const base = (const char *)header;
    for (uint32_t i = 0; i < header->count; i++)
        if (entries[i].name >= rest || entries[i].path >= rest
            || strnlen(base + entries[i].name, NAME_MAX + 1) > NAME_MAX)
            return NULL;
    return header;
}

/// Moves what the extensions refer to along with it. False where they make no sense.
static bool move_extensions(char *bytes, size_t size, uint32_t at, int64_t by) {
    struct extensions *extensions = (void *)(bytes + at);
    if (at % 4 != 0 || at > size || size - at < sizeof *extensions
        || extensions->magic != extension_magic || extensions->count > MOST_SECTIONS
        || (size - at - sizeof *extensions) / sizeof extensions->sections[0] < extensions->count)
        return false;
    // A section may lie over the count itself.
    const uint32_t count = extensions->count;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t offset = extensions->sections[i].offset + by;
        const uint32_t length = extensions->sections[i].size;
        if (offset < 0 || (uint64_t)offset > size || length > size - (uint64_t)offset
            || offset % 4 != 0)
            return false;
        extensions->sections[i].offset = (uint32_t)offset;
        if (extensions->sections[i].tag != SECTION_NAMES)
            continue;
        uint32_t *names = (void *)(bytes + offset);
        for (uint32_t k = 0; k < length / sizeof *names; k++)
            names[k] += (uint32_t)by;
    }
    return true;
}

/// Whether a library that is added takes an entry's place.
static bool is_replaced(const struct nsrun_step *step, const char *name, int32_t flags) {
    const int32_t *added = (const void *)step->data;
    for (size_t i = 0; step->list[i] != NULL; i++)
        if (added[i] == flags && strcmp(step->list[i], name) == 0)
            return true;
    return false;
}

/// Writes the root's cache with more in it to `bytes`, which has room. Returns its size.
static size_t merge(const struct nsrun_step *step, const struct header *own, size_t own_size,
                    char *bytes) {
    const char *const base = (const char *)own;
    const struct entry *const from = own != NULL ? (const void *)(own + 1) : NULL;
    const uint32_t own_count = own != NULL ? own->count : 0;
    const size_t start = sizeof *own + own_count * sizeof *from;   // of the root's strings
    const int32_t *const flags = (const void *)step->data;
    uint32_t count = 0;
    while (step->list[count] != NULL)
        count++;
    for (uint32_t i = 0; i < own_count; i++)
        count += !is_replaced(step, base + from[i].name, from[i].flags);

    struct header *header = (void *)bytes;
    struct entry *to = (void *)(header + 1);
    memcpy(header->magic, magic, sizeof header->magic);
    header->count = count;
    header->order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 2 : 3;
    size_t size = sizeof *header + count * sizeof *to;
    const int64_t by = (int64_t)size - (int64_t)start;
    if (own != NULL) {
        memcpy(bytes + size, base + start, own_size - start);
        size += own_size - start;
        if (own->extensions != 0 && own->extensions >= start
            && move_extensions(bytes, size, (uint32_t)(own->extensions + by), by))
            header->extensions = (uint32_t)(own->extensions + by);
    }
    // Both lists fall; where they are equal, what is added comes first.
    size_t next = 0;
    for (uint32_t i = 0; i < own_count || step->list[next] != NULL;) {
        const char *const name = step->list[next];
        if (name != NULL
            && (i == own_count || nsrun_compare_libraries(name, base + from[i].name) >= 0)) {
            *to = (struct entry){.flags = flags[next], .name = (uint32_t)size};
            size = (size_t)(stpcpy(bytes + size, name) - bytes) + 1;
            to->path = (uint32_t)size;
            size = (size_t)(stpcpy(bytes + size, step->list2[next++]) - bytes) + 1;
            to++;
        } else {
            if (!is_replaced(step, base + from[i].name, from[i].flags)) {
                *to = from[i];
                to->name += (uint32_t)by;
                to->path += (uint32_t)by;
                to++;
            }
            i++;
        }
    }
    header->strings = (uint32_t)(size - sizeof *header - count * sizeof *to);
    return size;
}

size_t nsrun_merged_size(const struct nsrun_step *step, size_t size) {
    size_t room = size + sizeof(struct header);
    for (size_t i = 0; step->list[i] != NULL; i++)
        room += sizeof(struct entry) + strlen(step->list[i]) + strlen(step->list2[i]) + 2;
    return room;
}

size_t nsrun_merge_caches(const struct nsrun_step *step, const char *own, size_t size,
                          char *made) {
    // The linker passes over a cache that makes no sense, and so does this.
    const struct header *header = size > 0 ? find_header(own, size) : NULL;
    return merge(step, header, header != NULL ? (size_t)(own + size - (const char *)header) : 0,
                 made);
}

int nsrun_linker_cache(struct nsrun_world *w, const struct nsrun_step *step) {
    char *own = NULL;
    const ssize_t read = content(w, step->target, LARGEST_CACHE, &own);
    if (read < 0) {
        w->call = NSRUN_CALL_CONTENT;
        return (int)read;
    }
    const size_t size = (size_t)read, room = nsrun_merged_size(step, size);
    char *made = map(room);
    int error = made == NULL ? -ENOMEM : 0;
    char name[16];
    int file = -1;
    if (error == 0) {
        w->call = NSRUN_CALL_CONTENT;
        file = nsrun_scratch_file(w, 0644, name);
        error = file < 0
                    ? file
                    : nsrun_write_all(file, made, nsrun_merge_caches(step, own, size, made));
    }
    if (file >= 0)
        close(file);
    if (made != NULL)
        munmap(made, room);
    if (size > 0)
        munmap(own, size + 1);
    return error < 0 ? error : nsrun_bind_scratch(w, name, step);
}

uint64_t nsrun_highest_glibc(const char *bytes, size_t size) {
    static const char prefix[] = "GLIBC_";
    uint64_t highest = 0;
    const char *at = bytes, *const end = bytes + size;   // where a NUL lies
    while ((at = memmem(at, (size_t)(end - at), prefix, sizeof prefix - 1)) != NULL) {
        at += sizeof prefix - 1;
        const uint64_t major = number(&at) & 0xffff;
        if (at[0] != '.' || !is_digit(at[1]))
            continue;
        at++;
        const uint64_t version = major << 32 | (number(&at) & 0xffff);
        if (version > highest)
            highest = version;
    }
    return highest;
}

int nsrun_need_glibc(struct nsrun_world *w, const struct nsrun_step *step) {
    uint64_t version = 0;
    for (const char *const *path = step->list; *path != NULL && version == 0; path++) {
        char *bytes = NULL;
        const ssize_t size = content(w, *path, LARGEST_LIBC, &bytes);
        if (size < 0)
            return (int)size;
        if (size == 0)
            continue;
        version = nsrun_highest_glibc(bytes, (size_t)size);
        munmap(bytes, (size_t)size + 1);
    }
    if (version >= step->value)
        return 0;
    w->call = NSRUN_CALL_LIBRARY;
    int length = version == 0 ? 0
                              : snprintf(w->report->text, NSRUN_REPORT_TEXT, "%u.%u",
                                         (unsigned)(version >> 32), (unsigned)version & 0xffff);
    w->report->head.length = length > 0 ? (uint32_t)length : 0;
    return -ELIBBAD;
}
