// SPDX-License-Identifier: Apache-2.0
//
// Prepared worlds: a root that was put together once, in namespaces that a process keeps, and from copies of which runs
// start. See reuse.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nsrun_plan;

enum {
    NSRUN_MOST_WORLDS = 64,     ///< that one user keeps at a time
    NSRUN_WORLD_NAME = 72,      ///< bytes of a name, with its NUL
    NSRUN_WORLD_ROOT = 512,     ///< bytes of a root's path, with its NUL
    NSRUN_KEPT_NOTE = 8192,     ///< bytes that who sets something up may leave with it
};

/// By what a world is known.
struct nsrun_world_key {
    const char *folder;   ///< where those who keep worlds are met
    const char *name;     ///< what its user calls it
    const char *root;     ///< the directory that its root is made of
    bool is_by_content;   ///< several of its name may differ in what was asked for
    const char *note;     ///< is told to whoever lists it
    size_t note_length;   ///< in bytes, NSRUN_KEPT_NOTE at most
    uint64_t request;     ///< a digest of what was asked for
    unsigned char content[16];   ///< and one of all that it is made of, which nobody can make a second time
};

/// Fills in the digests. `plan` is the one by which the world is made: its steps, and what they find on the host, which are
/// looked at here. 0 or a negative errno.
int nsrun_know_world(struct nsrun_world_key *key, const struct nsrun_plan *plan);

/// A world's namespaces, by descriptor, and the host's proc.
struct nsrun_prepared {
    int user, mount, proc;
};

/// Asks for the world of that key, which then is kept for at least so many nanoseconds more. 0; -ENOENT where there is
/// none, and it may be made; or another negative errno.
int nsrun_ask_for_world(const struct nsrun_world_key *key, int64_t idle, struct nsrun_prepared *prepared);
void nsrun_close_prepared(const struct nsrun_prepared *prepared);

/// Whether two keys are those of one world.
bool nsrun_is_same_world(const struct nsrun_world_key *one, const struct nsrun_world_key *other);
/// Has the world of that key end, where there is one.
void nsrun_end_world(const struct nsrun_world_key *key);

/// Starts a process that will keep the world, which is to be made and sent to it: a descriptor for NSRUN_OP_KEEP, which it
/// stops waiting for when the last copy is closed. -EEXIST where somebody has been quicker; -EALREADY where a world of that
/// name was made for other options; -EDQUOT where there are NSRUN_MOST_WORLDS; or another negative errno.
int nsrun_found_world(const struct nsrun_world_key *key, int64_t idle);

/// By what its processes are told: whoever has started them, and whatever they have become.
struct nsrun_inside {
    uint64_t device;   ///< of a namespace (namespaces(7)),
    uint64_t inode;    ///< 0 where it is not known yet
    bool is_user;      ///< theirs is that user namespace or one below it; otherwise it is that mount namespace
};

/// The processes that are in the user namespace that a process is in now. A descriptor of it, -EPERM where it is the caller's
/// own, or another negative errno. As long as it is open no other namespace gets that number.
int nsrun_look_inside(pid_t pid, struct nsrun_inside *inside);
/// Somebody must hold that namespace. Sends all of them TERM, those that are still there so many nanoseconds later KILL, and returns when there is none. 0, or
/// -ETIMEDOUT where even KILL does not end one.
int nsrun_end_inside(const struct nsrun_inside *inside, int64_t patience);

/// What is said of one that is kept.
struct nsrun_card {
    pid_t pid;            ///< of who keeps it
    bool is_group;        ///< of processes that share namespaces (--join)
    int64_t since;        ///< CLOCK_REALTIME in seconds
    struct nsrun_inside inside;
    uint32_t note_length; ///< in bytes
    char name[NSRUN_WORLD_NAME];
    char root[NSRUN_WORLD_ROOT];
    char note[NSRUN_KEPT_NOTE];
};

/// Its texts, which Swift would take for tuples.
const char *nsrun_card_name(const struct nsrun_card *card);
const char *nsrun_card_root(const struct nsrun_card *card);
const char *nsrun_card_note(const struct nsrun_card *card);

/// The processes in its namespaces, as many as there is room for: how many there are.
size_t nsrun_list_members(const struct nsrun_card *card, pid_t *pids, size_t room);

/// Visits each that is kept in the folder for this user namespace, until `visit` returns false. 0 or a negative errno,
/// -ETIMEDOUT where one does not answer, after the others.
int nsrun_each_kept(const char *folder, bool (*visit)(void *context, const struct nsrun_card *card), void *context);
/// Has all worlds of that name end, and all processes of its group: these get TERM, and KILL after so many nanoseconds. Waits
/// until they have ended. How many worlds and groups there were, or a negative errno, -ETIMEDOUT where a process does not end,
/// -EHOSTUNREACH where none has that name and one does not answer.
int nsrun_stop_kept(const char *folder, const char *name, int64_t patience);

#ifdef __cplusplus
}
#endif
