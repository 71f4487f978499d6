// SPDX-License-Identifier: Apache-2.0
//
// What must not be read is covered, when all the rest of the root stands: a file by an empty file, a directory by an
// empty directory, which nobody may open. What a link leads to is covered as well as the link. Patterns are looked for
// in the root as the command will see it, by descriptor: a directory that is swapped meanwhile leads nowhere else.

#define _GNU_SOURCE
#include <dirent.h>
#include <string.h>

#include "executor.h"
#include "include/parsers.h"

enum {
    MOST_ENTRIES = 200000,   ///< that one step looks at
    MOST_LEVELS = 128,
};

struct level {
    int directory;
    size_t length, matched;   ///< of the paths up to here
    long count, at;           ///< bytes that were read, and that have been looked at
    char entries[2048] __attribute__((aligned(8)));
};

/// One process sets up one root, and between clone and exec there is no other memory.
static struct {
    unsigned entries, depth;
    unsigned deepest;          ///< components that a pattern may have, of what is below the place
    char path[PATH_MAX];       ///< of what is looked at, canonical,
    char matched[PATH_MAX];    ///< and as patterns see it
    struct level levels[MOST_LEVELS];
} search;

/// The scratch tmpfs has a file and a directory that nobody may open.
static const char *const covers[] = {"hidden-file", "hidden-directory"};

static int make_covers(struct nsrun_world *w) {
    int error = nsrun_scratch(w);
    if (error == 0 && mknodat(w->scratch, covers[0], S_IFREG, 0) != 0 && errno != EEXIST)
        error = -errno;
    if (error == 0 && mkdirat(w->scratch, covers[1], 0) != 0 && errno != EEXIST)
        error = -errno;
    return error;
}

/// Takes over the place. The root itself is in nobody's way.
static int cover(struct nsrun_world *w, struct nsrun_place *place) {
    struct stat status;
    int error = place->is_root ? -EBUSY : fstat(place->fd, &status) == 0 ? 0 : -errno;
    if (error == 0)
        error = nsrun_place_bind(w, w->scratch, covers[S_ISDIR(status.st_mode)], NSRUN_READ_ONLY | NSRUN_NO_EXECUTE, place);
    close(place->fd);
    return error;
}

/// What a path leads to, before the link itself is covered. That may be nowhere.
static int cover_target(struct nsrun_world *w, const char *path) {
    struct nsrun_place target;
    const int error = nsrun_find(w, path, NSRUN_KIND_ANY, NSRUN_MUST_EXIST, 0, &target);
    if (error < 0)
        return nsrun_is_out_of_reach(error) ? 0 : error;
    if (!target.is_root)
        return cover(w, &target);
    close(target.fd);
    return 0;
}

static int hide(struct nsrun_world *w, const char *path, struct nsrun_place *place) {
    struct stat status;
    int error = fstat(place->fd, &status) == 0 ? 0 : -errno;
    if (error == 0 && S_ISLNK(status.st_mode))
        error = cover_target(w, path);
    if (error < 0) {
        close(place->fd);
        return error;
    }
    return cover(w, place);
}

/// One that is not there needs no cover.
static int hide_path(struct nsrun_world *w, const char *path) {
    struct nsrun_place place;
    const int error = nsrun_find(w, path, NSRUN_KIND_ANY, NSRUN_MUST_EXIST | NSRUN_ONTO_LINK, 0, &place);
    if (error < 0)
        return nsrun_is_out_of_reach(error) ? 0 : error;
    return hide(w, path, &place);
}

static bool is_meant(const struct nsrun_step *step, const char *matched) {
    for (size_t i = 0; step->list[i] != NULL; i++)
        if (nsrun_fits(step->list[i], matched))
            return true;
    return false;
}

/// Something that holds the place, or the place itself, is.
static bool holds_place(const struct nsrun_step *step) {
    char *const seen = search.matched;
    for (char *p = seen; *p != 0; p++) {
        if (p == seen || *p != '/')
            continue;
        *p = 0;
        const bool meant = is_meant(step, seen);
        *p = '/';
        if (meant)
            return true;
    }
    return seen[0] != 0 && is_meant(step, seen);
}

static unsigned components(const char *path) {
    unsigned count = 1;
    for (; *path != 0; path++)
        count += *path == '/';
    return count;
}

/// Takes over the descriptor of a directory whose paths stand in `search`.
static int enter(int directory) {
    if (search.depth == MOST_LEVELS) {
        close(directory);
        return -E2BIG;
    }
    struct level *level = &search.levels[search.depth++];
    level->directory = directory;
    level->length = strlen(search.path);
    level->matched = strlen(search.matched);
    level->count = level->at = 0;
    return 0;
}

static int append(char *path, size_t length, const char *name) {
    const size_t size = strlen(name);
    const bool has_slash = length > 0 && path[length - 1] != '/';
    if (length + has_slash + size >= PATH_MAX)
        return -E2BIG;
    if (has_slash)
        path[length++] = '/';
    memcpy(path + length, name, size + 1);
    return 0;
}

static int look_at(struct nsrun_world *w, const struct nsrun_step *step, struct level *level,
                   const struct nsrun_entry *entry) {
    const char *name = entry->name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (++search.entries > MOST_ENTRIES)
        return -E2BIG;
    int error = append(search.path, level->length, name);
    if (error == 0)
        error = append(search.matched, level->matched, name);
    if (error < 0)
        return error;
    if (is_meant(step, search.matched)) {
        struct nsrun_place place = {.fd = openat(level->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
        if (place.fd < 0)
            return errno == ENOENT ? 0 : -errno;
        strcpy(place.path, search.path);
        return hide(w, search.path, &place);
    }
    // What the caller may not list the command may not either.
    const bool may_hold = entry->type == DT_DIR || entry->type == DT_UNKNOWN;
    if (!may_hold || components(search.matched) >= search.deepest)
        return 0;
    const int directory = nsrun_result(
        openat(level->directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (directory < 0)
        return nsrun_is_out_of_reach(directory) ? 0 : directory;
    return enter(directory);
}

/// Goes through everything below, the deepest directory first.
static int look_through(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = 0;
    while (search.depth > 0 && error == 0) {
        struct level *level = &search.levels[search.depth - 1];
        if (level->at >= level->count) {
            level->at = 0;
            level->count = syscall(SYS_getdents64, level->directory, level->entries, sizeof level->entries);
            if (level->count < 0)
                error = -errno;
            if (level->count <= 0) {
                close(level->directory);
                search.depth--;
            }
            continue;
        }
        const struct nsrun_entry *entry = (const void *)(level->entries + level->at);
        level->at += entry->size;
        error = look_at(w, step, level, entry);
    }
    while (search.depth > 0)
        close(search.levels[--search.depth].directory);
    return error;
}

static int hide_matches(struct nsrun_world *w, const struct nsrun_step *step) {
    struct nsrun_place base;
    int error = nsrun_find_directory(w, step->target, &base);
    if (error < 0)
        return nsrun_is_out_of_reach(error) ? 0 : error;
    search.entries = search.depth = search.deepest = 0;
    if (strlen(step->source) >= sizeof search.matched) {
        close(base.fd);
        return -ENAMETOOLONG;
    }
    strcpy(search.matched, step->source);
    strcpy(search.path, base.path);
    if (!base.is_root && holds_place(step))
        return cover(w, &base);
    for (size_t i = 0; step->list[i] != NULL; i++) {
        const unsigned count = strstr(step->list[i], "**") != NULL ? UINT32_MAX : components(step->list[i]);
        search.deepest = count > search.deepest ? count : search.deepest;
    }
    // A path of the root begins with a slash.
    if (search.path[0] == 0)
        strcpy(search.path, "/");
    const int directory = nsrun_result(openat(base.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    close(base.fd);
    if (directory < 0)
        return nsrun_is_out_of_reach(directory) ? 0 : directory;
    error = enter(directory);
    return error < 0 ? error : look_through(w, step);
}

int nsrun_hide_paths(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = make_covers(w);
    if (error == 0)
        error = step->list[0] == NULL ? hide_path(w, step->target) : hide_matches(w, step);
    nsrun_forget_parent(w);
    return error;
}
