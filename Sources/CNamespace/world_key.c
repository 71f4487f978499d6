// SPDX-License-Identifier: Apache-2.0
//
// What a prepared world is known by: a digest of all that it is made of, the steps, and what these find on the host. What the
// steps do not say and the host could change meanwhile are its mounts; these the keeper watches, see keeper.c.

#define _GNU_SOURCE
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "digest.h"
#include "include/io.h"
#include "include/nsrun.h"
#include "include/reuse.h"
#include "syscalls.h"

/// What tells a file from another, or from what it was; `changing`: its content and its entries, too.
static void mix_status(struct nsrun_digest *digest, const struct stat *status, bool changing) {
    const uint64_t own[] = {status->st_dev, status->st_ino, status->st_mode, status->st_rdev};
    const uint64_t state[] = {(uint64_t)status->st_ctim.tv_sec, (uint64_t)status->st_ctim.tv_nsec,
                              (uint64_t)status->st_size};
    nsrun_mix(digest, own, sizeof own);
    if (changing)
        nsrun_mix(digest, state, sizeof state);
}

static void mix_absence(struct nsrun_digest *digest) { nsrun_mix(digest, NULL, 0); }

static void mix_file(struct nsrun_digest *digest, const char *path, bool changing) {
    struct stat status;
    if (path == NULL || stat(path, &status) != 0)
        mix_absence(digest);
    else
        mix_status(digest, &status, changing && !S_ISCHR(status.st_mode));   // a terminal changes with each word
}

/// A file of the root, as the steps will find it; false where there is none.
static bool mix_inside(struct nsrun_digest *digest, const char *root, const char *path) {
    struct stat status;
    const int fd = nsrun_open_below(root, path, O_PATH);
    const bool is_there = fd >= 0 && fstat(fd, &status) == 0;
    if (fd >= 0)
        close(fd);
    if (is_there)
        mix_status(digest, &status, true);
    return is_there;
}

/// The directory that a place is looked up in: what has to be made there, in memory, is a copy of it. `last` is that of the
/// step before, which is not looked at again.
static void mix_parent(struct nsrun_digest *digest, const char *root, const char *place, char last[PATH_MAX]) {
    const char *end = strrchr(place, '/');
    const size_t length = end == NULL ? 0 : (size_t)(end - place);
    if (length >= PATH_MAX - 1 || (strlen(last) == length && strncmp(last, place, length) == 0))
        return;
    memcpy(last, place, length);
    last[length] = 0;
    // Of one that is not there, which would be in another that is.
    char path[PATH_MAX];
    strcpy(path, last);
    while (!mix_inside(digest, root, path[0] == 0 ? "/" : path)) {
        mix_absence(digest);
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return;
        *slash = 0;
    }
}

/// What a step finds, by its operation.
static const enum { NOTHING, SOURCE, LAYERS, TARGET, CANDIDATES } found_by[] = {
#define NSRUN_OPERATION(name, verb, manner, finds) [NSRUN_OP_##name] = finds,
    NSRUN_OPERATIONS(NSRUN_OPERATION)
#undef NSRUN_OPERATION
};

static void mix_step(struct nsrun_digest *digest, const char *root, const struct nsrun_step *step, char last[PATH_MAX]) {
    const bool is_inside = step->flags & NSRUN_INSIDE;
    struct stat status;
    switch (found_by[step->op]) {
    case NOTHING: break;
    case SOURCE:
        if (step->fd >= 0 && fstat(step->fd, &status) == 0)
            mix_status(digest, &status, false);
        else if (!is_inside)
            mix_file(digest, step->source, step->flags & NSRUN_IMPLIED);
        break;
    case LAYERS:
        for (const char *const *layer = step->list; layer != NULL && *layer != NULL && !is_inside; layer++)
            mix_file(digest, *layer, true);
        break;
    case TARGET:
        if (!mix_inside(digest, root, step->target))
            mix_absence(digest);
        break;
    case CANDIDATES:
        for (const char *const *file = step->list; *file != NULL; file++)
            if (!mix_inside(digest, root, *file))
                mix_absence(digest);
        break;
    }
    // Of the devices that this run makes itself there are many.
    if (step->target != NULL && step->target[0] == '/' && strncmp(step->target, "/dev/", 5) != 0
        && strncmp(step->target, "/proc/", 6) != 0)
        mix_parent(digest, root, step->target, last);
}

int nsrun_know_world(struct nsrun_world_key *key, const struct nsrun_plan *plan) {
    const struct nsrun_step *end = plan->steps + plan->count;
    const uint32_t flags = plan->flags & (NSRUN_CLASSIC_MOUNTS | NSRUN_DETACHED_ROOT | NSRUN_NO_OPENAT2
                                          | NSRUN_TOLERATE_SUBMOUNTS | NSRUN_PLACES_BY_UMASK);
    struct nsrun_digest digest;
    nsrun_digest_begin(&digest);
    nsrun_mix_text(&digest, key->root);
    nsrun_mix_steps(&digest, plan->steps, end, false);
    nsrun_mix(&digest, &flags, sizeof flags);
    key->request = nsrun_digest_number(&digest);
    nsrun_mix_steps(&digest, plan->steps, end, true);
    // Who makes it, from where.
    gid_t groups[256];
    const int count = getgroups(sizeof groups / sizeof groups[0], groups);
    if (count < 0)
        return -errno;
    const uint64_t own[] = {geteuid(), getegid(), getuid(), getgid()};
    nsrun_mix(&digest, own, sizeof own);
    nsrun_mix(&digest, groups, (size_t)count * sizeof groups[0]);
    mix_file(&digest, "/proc/self/ns/mnt", false);
    mix_file(&digest, "/", false);
    mix_file(&digest, key->root, true);
    char last[PATH_MAX] = "";
    for (const struct nsrun_step *step = plan->steps; step < end; step++)
        mix_step(&digest, key->root, step, last);
    nsrun_digest_get(&digest, key->content);
    return 0;
}

bool nsrun_is_same_world(const struct nsrun_world_key *one, const struct nsrun_world_key *other) {
    return one->request == other->request && memcmp(one->content, other->content, sizeof one->content) == 0;
}
