// SPDX-License-Identifier: Apache-2.0
//
// Messages with descriptors in them, and whom they come from (unix(7)). Nothing is allocated, for it is done between
// clone and exec as well.

#define _GNU_SOURCE
#include "passing.h"

#include <string.h>
#include <sys/socket.h>

#include "syscalls.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77   // Linux 6.5
#endif

int nsrun_send_descriptors(int socket, const void *data, size_t size, const int *fds, unsigned count) {
    struct iovec content = {.iov_base = (void *)data, .iov_len = size};
    char control[CMSG_SPACE(NSRUN_MOST_DESCRIPTORS * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

ssize_t nsrun_receive_descriptors(int socket, void *data, size_t size, int *fds, unsigned *count) {
    struct iovec content = {.iov_base = data, .iov_len = size};
    char control[CMSG_SPACE(NSRUN_MOST_DESCRIPTORS * sizeof(int))] __attribute__((aligned(8)));
    struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    const unsigned room = *count;
    *count = 0;
    ssize_t received;
    do {
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t number = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < number; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (*count < room)
                fds[(*count)++] = fd;
            else
                close(fd);
        }
    }
    return received;
}

int nsrun_peer(int socket) {
    int life = -1;
    socklen_t size = sizeof life;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &life, &size) == 0)
        return life;
    // Before Linux 6.16 there is none for a process that has been waited for.
    return errno == ENOPROTOOPT ? -1 : -ESRCH;
}
