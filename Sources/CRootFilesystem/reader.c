// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "nsrun_rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What goes to the child, beside a directory's descriptor, and what comes back, beside a file's.
struct question {
  int flags;
  char name[NAME_MAX + 1];
};
struct answer {
  int error;
};

static int send_with(int socket, const void *data, size_t size, int fd) {
  struct iovec part = {(void *)data, size};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)size ? 0 : -1;
}

static int receive_with(int socket, void *data, size_t size, int *fd) {
  struct iovec part = {data, size};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  *fd = -1;
  ssize_t count;
  do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count != (ssize_t)size) {
    if (count >= 0) errno = EPIPE;
    return -1;
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  return 0;
}

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t count = write(file, text, strlen(text));
  int code = errno;
  close(file);
  errno = code;
  return count == (ssize_t)strlen(text) ? 0 : -1;
}

static int map_caller(uid_t user, gid_t group) {
  char line[64];
  if (write_file("/proc/self/setgroups", "deny") < 0 && errno != ENOENT) return -1;
  snprintf(line, sizeof line, "0 %u 1\n", group);
  if (write_file("/proc/self/gid_map", line) < 0) return -1;
  snprintf(line, sizeof line, "0 %u 1\n", user);
  return write_file("/proc/self/uid_map", line);
}

// After fork() in a program that may have threads: nothing here allocates or locks.
static _Noreturn void serve(int socket, int is_mapped_by_caller, uid_t user, gid_t group) {
  // Locks that the caller holds through descriptors end with the caller, and so does the socket.
  dup2(socket, 0);
  if (syscall(SYS_close_range, 1U, ~0U, 0U) < 0)
    for (int fd = 1; fd < 65536; fd++) close(fd);
  struct answer first = {0};
  if (unshare(CLONE_NEWUSER) < 0 || (!is_mapped_by_caller && map_caller(user, group) < 0))
    first.error = errno;
  if (send_with(0, &first, sizeof first, -1) < 0 || first.error) _exit(1);
  struct question asked;
  int directory;
  while (receive_with(0, &asked, sizeof asked, &directory) == 0) {
    struct answer given = {0};
    int file = openat(directory, asked.name, asked.flags | O_CLOEXEC);
    if (file < 0) given.error = errno;
    if (send_with(0, &given, sizeof given, file) < 0) break;
    if (file >= 0) close(file);
    if (directory >= 0) close(directory);
  }
  _exit(0);
}

int nsrun_rootfs_reader_start(int is_mapped_by_caller, pid_t *child) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  uid_t user = geteuid();
  gid_t group = getegid();
  *child = fork();
  if (*child == 0) serve(ends[1], is_mapped_by_caller, user, group);
  int code = errno;
  close(ends[1]);
  struct answer first = {code};
  int none;
  if (*child > 0 && receive_with(ends[0], &first, sizeof first, &none) < 0) first.error = errno;
  if (first.error || *child < 0) {
    close(ends[0]);
    if (*child > 0)
      while (waitpid(*child, NULL, 0) < 0 && errno == EINTR) continue;
    errno = first.error;
    return -1;
  }
  return ends[0];
}

int nsrun_rootfs_reader_open(int reader, int directory, const char *name, int flags) {
  struct question asked = {.flags = flags};
  struct answer given;
  int file;
  if (strlen(name) >= sizeof asked.name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(asked.name, name);
  if (send_with(reader, &asked, sizeof asked, directory) < 0 ||
      receive_with(reader, &given, sizeof given, &file) < 0)
    return -1;
  if (given.error) errno = given.error;
  return file;
}

void nsrun_rootfs_reader_stop(int reader, pid_t child) {
  close(reader);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}
