// SPDX-License-Identifier: Apache-2.0
//
// Where processes of one user meet: a socket in a directory that nobody else reaches, and who is at its other end.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { NSRUN_MEETING_FILE = 88 };   ///< bytes of a socket's name, with its NUL

/// How long who is met may be silent, in nanoseconds; or others may hold the lock on the directory.
static const int64_t nsrun_patience = 10ll * 1000 * 1000 * 1000;

/// A name where it may be a file's and has room there, else a digest of it, which takes 18 bytes.
void nsrun_name_as_file(const char *name, char *file, size_t room);

/// By the descriptor of its folder, which was looked at; so it has room, however long the folder's path.
socklen_t nsrun_meeting_address(int folder, const char *file, struct sockaddr_un *address);
/// The directory, where there is one that is nobody's but ours: a descriptor or a negative errno, -EPERM if others may
/// enter it.
int nsrun_open_folder(const char *path);
/// The same, made where it is missing, and locked (flock(2)). `*is_taken` becomes true where others hold the lock, and
/// -ETIMEDOUT is the answer where they do not let go of it for so many nanoseconds.
int nsrun_lock_folder(const char *path, int64_t patience, bool *is_taken);
/// A socket that keeps records apart, close-on-exec.
int nsrun_meeting_socket(void);
/// Without waiting: a queue that stays full may be that of somebody who never answers. 0 or a negative errno.
int nsrun_meet(int socket, int folder, const char *file);

/// Whether the process at the other end of a connection, be it the one that listens, is one of ours in this user
/// namespace, and in this mount namespace unless that is NULL: 0; 1 where it is gone; -EACCES where it is somebody else's;
/// or a negative errno.
int nsrun_check_peer(int socket, int proc, const struct stat *user, const struct stat *mount);

/// How the names of worlds' sockets begin; those of groups begin with a number.
#define NSRUN_WORLD_FILES "w "
/// Visits the sockets whose names begin so, until `visit` returns false. 0 or a negative errno.
int nsrun_each_meeting(int folder, const char *begin, bool (*visit)(void *context, const char *file), void *context);

/// Takes the socket away that a holder listens on, unless another has taken its place, and those of worlds that nobody
/// listens on any more; and the folder where it is empty then.
void nsrun_leave_meeting(int folder, const char *path, const char *file, ino_t socket);
