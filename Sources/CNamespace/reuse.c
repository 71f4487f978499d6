// SPDX-License-Identifier: Apache-2.0
//
// Prepared worlds: a root is put together once, and runs start from copies of it.
//
// The first launch makes the world in a child of its own, with a user, a mount and a pid namespace, and sends descriptors
// of the first two to a process that keeps them (keeper.c). This launch and every later one connect to it, get
// copies, and enter (spawn.c). Each run then has a user namespace of its own below the world's, and in it a copy of the
// mounts: it has no capability over the world, the kernel lets it change none of the mounts that it started from, and it
// has none over another run.
//
// A launch that would make another world never meets this one, see world_key.c.

#define _GNU_SOURCE
#include "keeper.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>

#include "detached.h"
#include "include/io.h"
#include "include/nsrun.h"
#include "members.h"
#include "passing.h"
#include "syscalls.h"

// MARK: The one that is kept

/// Where worlds are met, by whom.
struct place {
    int folder, proc;          ///< descriptors, -1 for none
    struct stat user, mount;   ///< the namespaces of this process
    char begin[32];            ///< of the names of worlds of this user namespace
};

/// Finds out who this process is. 0 or a negative errno; leave() is for both.
static int arrive(struct place *place, int folder) {
    *place = (struct place){.folder = folder, .proc = nsrun_above_standard(nsrun_open("/proc", O_PATH | O_DIRECTORY))};
    if (folder < 0 || place->proc < 0)
        return folder < 0 ? folder : place->proc;
    if (fstatat(place->proc, "self/ns/user", &place->user, 0) != 0
        || fstatat(place->proc, "self/ns/mnt", &place->mount, 0) != 0)
        return -errno;
    snprintf(place->begin, sizeof place->begin, NSRUN_WORLD_FILES "%llu ", (unsigned long long)place->user.st_ino);
    return 0;
}

static void leave(const struct place *place) {
    if (place->folder >= 0)
        close(place->folder);
    if (place->proc >= 0)
        close(place->proc);
}

static void name_world(const struct nsrun_world_key *key, const char *begin, char file[NSRUN_MEETING_FILE]) {
    char own[25];
    nsrun_name_as_file(key->name, own, sizeof own);
    int length = snprintf(file, NSRUN_MEETING_FILE, "%s%s %08x ", begin, own,
                          (unsigned)(key->request ^ key->request >> 32));
    for (size_t i = 0; i < sizeof key->content && length < NSRUN_MEETING_FILE - 2; i++)
        length += snprintf(file + length, 3, "%02x", key->content[i]);
}

/// How long a launch waits for who keeps a world, or is just about to, in milliseconds: a cold one takes two. Whoever wants to
/// know or to end what is kept has nothing else to do.
static const int launch_patience = 3000;
static const int survey_patience = (int)(nsrun_patience / 1000000);

/// The answer to a wish that is granted: its size, or a negative errno; -ENOENT where nobody is there any more.
static int wish(int fd, enum nsrun_world_wish what, int64_t idle, void *answer, size_t size, int *fds, unsigned *count) {
    const int patience = what == NSRUN_WISH_WORLD ? launch_patience : survey_patience;
    const struct nsrun_wish wish = {.what = (uint32_t)what, .idle = idle};
    struct pollfd state = {.fd = fd, .events = POLLIN};
    unsigned room = *count;
    *count = 0;
    int ready = send(fd, &wish, sizeof wish, MSG_NOSIGNAL) < 0 ? -errno : -EINTR;
    while (ready == -EINTR)
        ready = nsrun_result(poll(&state, 1, patience));
    int size_or_error = ready == 0 ? -ETIMEDOUT : ready;
    if (ready > 0) {
        size_or_error = (int)nsrun_receive_descriptors(fd, answer, size, fds, &room);
        *count = room;
    }
    // It ends just now.
    return size_or_error == 0 || size_or_error == -EPIPE || size_or_error == -ECONNRESET ? -ENOENT : size_or_error;
}

/// A connection; -ENOENT where nobody keeps that one.
static int connect_to(const struct place *place, const char *file, bool is_group) {
    const int fd = nsrun_meeting_socket();
    if (fd < 0)
        return fd;
    int error = nsrun_meet(fd, place->folder, file);
    if (error == 0) {
        error = nsrun_check_peer(fd, place->proc, &place->user, is_group ? NULL : &place->mount);
        if (error > 0)
            error = -ENOENT;
    } else if (error == -ECONNREFUSED) {
        error = -ENOENT;   // left behind by one that was killed
    }
    if (error < 0)
        close(fd);
    return error < 0 ? error : fd;
}

/// The namespaces of a world, by the connection to who keeps it.
static int receive_world(int fd, int64_t idle, struct nsrun_prepared *prepared) {
    char byte;
    int fds[2];
    unsigned count = 2;
    int error = wish(fd, NSRUN_WISH_WORLD, idle, &byte, 1, fds, &count);
    if (error >= 0 && count != 2)
        error = -EPROTO;
    if (error >= 0) {
        prepared->user = nsrun_above_standard(fds[0]);
        prepared->mount = nsrun_above_standard(fds[1]);
        return 0;
    }
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    return error;
}

int nsrun_ask_for_world(const struct nsrun_world_key *key, int64_t idle, struct nsrun_prepared *prepared) {
    char file[NSRUN_MEETING_FILE];
    struct place place;
    int error = arrive(&place, nsrun_open_folder(key->folder));
    if (error == 0) {
        name_world(key, place.begin, file);
        const int fd = connect_to(&place, file, false);
        error = fd < 0 ? fd : receive_world(fd, idle, prepared);
        if (fd >= 0)
            close(fd);
    }
    if (error == 0) {
        prepared->proc = place.proc;
        place.proc = -1;
    }
    leave(&place);
    return error;
}

void nsrun_close_prepared(const struct nsrun_prepared *prepared) {
    close(prepared->user);
    close(prepared->mount);
    close(prepared->proc);
}

// MARK: The first

struct census {
    const char *begin;   ///< of the name's worlds
    const char *own;     ///< of those that were asked for in the same way; NULL where it does not matter
    const struct place *place;
    unsigned count;
    bool is_other;
};

static bool count_world(void *context, const char *file) {
    struct census *census = context;
    const int fd = connect_to(census->place, file, false);
    if (fd >= 0)
        close(fd);
    if (fd == -ENOENT) {
        unlinkat(census->place->folder, file, 0);
        return true;
    }
    census->count++;
    if (census->own != NULL && strncmp(file, census->begin, strlen(census->begin)) == 0
        && strncmp(file, census->own, strlen(census->own)) != 0)
        census->is_other = true;
    return true;
}

/// Whether there may be another, with the folder locked.
static int may_found(const struct place *place, const char *file, const struct nsrun_world_key *key) {
    char begin[NSRUN_MEETING_FILE], own[NSRUN_MEETING_FILE];
    strcpy(begin, file);
    *strrchr(begin, ' ') = 0;
    strcpy(own, begin);
    *(strrchr(begin, ' ') + 1) = 0;
    struct census census = {.begin = begin, .own = key->is_by_content ? NULL : own, .place = place};
    const int fd = connect_to(place, file, false);
    if (fd >= 0)
        close(fd);
    if (fd != -ENOENT)
        return fd < 0 ? fd : -EEXIST;
    const int error = nsrun_each_meeting(place->folder, place->begin, count_world, &census);
    if (error < 0)
        return error;
    return census.is_other ? -EALREADY : census.count >= NSRUN_MOST_WORLDS ? -EDQUOT : 0;
}

static int found(const struct place *place, const struct nsrun_world_key *key, int64_t idle) {
    struct nsrun_keeping keeping = {.folder = place->folder, .key = key, .idle = idle};
    name_world(key, place->begin, keeping.file);
    int error = may_found(place, keeping.file, key);
    if (error < 0)
        return error;
    keeping.listener = nsrun_meeting_socket();
    if (keeping.listener < 0)
        return keeping.listener;
    struct sockaddr_un address;
    const socklen_t size = nsrun_meeting_address(place->folder, keeping.file, &address);
    int ends[2] = {-1, -1};
    error = nsrun_socket_pair(ends);
    if (error == 0 && bind(keeping.listener, (const void *)&address, size) != 0)
        error = -errno;
    if (error == 0) {
        keeping.maker = ends[1];
        error = nsrun_start_beside(nsrun_keep_world, &keeping);
        if (error < 0)
            unlinkat(place->folder, keeping.file, 0);
    }
    close(keeping.listener);
    if (ends[1] >= 0)
        close(ends[1]);
    if (error < 0 && ends[0] >= 0)
        close(ends[0]);
    return error < 0 ? error : ends[0];
}

/// Who holds the lock for longer is somebody else, and a launch does not wait for him.
static const int64_t lock_patience = 1000 * 1000 * 1000;

int nsrun_found_world(const struct nsrun_world_key *key, int64_t idle) {
    struct place place;
    bool is_taken = false;
    const int error = arrive(&place, nsrun_lock_folder(key->folder, lock_patience, &is_taken));
    const int maker = error < 0 ? error : found(&place, key, idle);
    leave(&place);   // the lock goes over to the keeper, who has a copy
    return maker;
}

void nsrun_end_world(const struct nsrun_world_key *key) {
    char file[NSRUN_MEETING_FILE], byte;
    struct place place;
    unsigned count = 0;
    if (arrive(&place, nsrun_open_folder(key->folder)) == 0) {
        name_world(key, place.begin, file);
        const int fd = connect_to(&place, file, false);
        if (fd >= 0) {
            wish(fd, NSRUN_WISH_END, 0, &byte, 1, NULL, &count);
            close(fd);
        }
    }
    leave(&place);
}

// MARK: All of them

const char *nsrun_card_name(const struct nsrun_card *card) { return card->name; }
const char *nsrun_card_root(const struct nsrun_card *card) { return card->root; }
const char *nsrun_card_note(const struct nsrun_card *card) { return card->note; }

struct survey {
    bool (*visit)(void *context, const struct nsrun_card *card);
    void *context;
    const struct place *place;
    const char *name;   ///< of those that are to end, NULL where they are only looked at
    bool is_of_groups;  ///< of processes that share namespaces (join_server.c)
    int64_t patience;   ///< with the processes of a group that is to end
    int stopped;        ///< how many have ended, or a negative errno
    bool is_partial;    ///< somebody has not answered
};

/// `*held` becomes a descriptor of the namespace in it: while that is open no other gets its number.
static bool read_card(struct survey *survey, const char *file, struct nsrun_card *card, int *held) {
    const int fd = connect_to(survey->place, file, survey->is_of_groups);
    if (fd < 0)
        return false;
    unsigned count = 1;
    *held = -1;
    const int size = wish(fd, NSRUN_WISH_CARD, 0, card, sizeof *card, held, &count);
    const bool has_card = size == sizeof *card && count == 1;
    survey->is_partial |= size == -ETIMEDOUT;
    close(fd);
    if (!has_card && count == 1)
        close(*held);
    card->name[sizeof card->name - 1] = card->root[sizeof card->root - 1] = 0;
    if (card->note_length > sizeof card->note)
        card->note_length = 0;
    return has_card;
}

static bool show_world(void *context, const char *file) {
    struct survey *survey = context;
    struct nsrun_card card;
    int held;
    if (!read_card(survey, file, &card, &held))
        return true;
    const bool goes_on = survey->visit(survey->context, &card);
    close(held);
    return goes_on;
}

/// Its holder ends by itself, and with it the connection, which has told it nothing.
static int stop_group(const struct survey *survey, const struct nsrun_card *card, int fd) {
    struct pollfd end = {.fd = fd, .events = POLLIN};
    const int error = nsrun_end_inside(&card->inside, survey->patience);
    if (error < 0)
        return error;
    return poll(&end, 1, (int)(nsrun_patience / 1000000)) == 1 ? 0 : -ETIMEDOUT;
}

static bool stop_one(struct survey *survey, const char *file, const struct nsrun_card *card) {
    const int fd = connect_to(survey->place, file, survey->is_of_groups);
    if (fd < 0)
        return true;
    if (survey->is_of_groups) {
        const int error = stop_group(survey, card, fd);
        close(fd);
        survey->stopped = error < 0 ? error : survey->stopped + 1;
        return error == 0;
    }
    // The connection ends when it does, with nothing left.
    char byte;
    unsigned count = 0;
    if (wish(fd, NSRUN_WISH_END, 0, &byte, 1, NULL, &count) == -ENOENT)
        survey->stopped++;
    close(fd);
    return true;
}

static bool stop_kept(void *context, const char *file) {
    struct survey *survey = context;
    struct nsrun_card card;
    int held;
    if (!read_card(survey, file, &card, &held))
        return true;
    const bool goes_on = strcmp(card.name, survey->name) != 0 || stop_one(survey, file, &card);
    close(held);
    return goes_on;
}

/// Who founds something has the folder locked until it is answered for: what is bound there is listened on by then, or never
/// will be. Whoever has it for longer is somebody else.
static void await_founders(int folder) {
    const int64_t since = nsrun_now();
    while (flock(folder, LOCK_SH | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)
           && nsrun_now() - since < lock_patience)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    flock(folder, LOCK_UN);
}

static int survey_all(struct survey *survey, const char *path, bool (*visit)(void *context, const char *file)) {
    struct place place;
    int error = arrive(&place, nsrun_open_folder(path));
    // Those of groups begin with the number.
    survey->place = &place;
    if (error == 0)
        await_founders(place.folder);
    if (error == 0)
        error = nsrun_each_meeting(place.folder, place.begin + (survey->is_of_groups ? strlen(NSRUN_WORLD_FILES) : 0), visit, survey);
    leave(&place);
    return error == -ENOENT ? 0 : error;
}

int nsrun_each_kept(const char *folder, bool (*visit)(void *context, const struct nsrun_card *card), void *context) {
    struct survey survey = {.visit = visit, .context = context};
    int error = survey_all(&survey, folder, show_world);
    survey.is_of_groups = true;
    if (error == 0)
        error = survey_all(&survey, folder, show_world);
    return error == 0 && survey.is_partial ? -ETIMEDOUT : error;
}

int nsrun_stop_kept(const char *folder, const char *name, int64_t patience) {
    struct survey survey = {.name = name, .patience = patience};
    int error = survey_all(&survey, folder, stop_kept);
    survey.is_of_groups = true;
    if (error == 0 && survey.stopped >= 0)
        error = survey_all(&survey, folder, stop_kept);
    // It may be the one.
    if (error == 0 && survey.stopped == 0 && survey.is_partial)
        error = -EHOSTUNREACH;
    return error < 0 ? error : survey.stopped;
}
