// SPDX-License-Identifier: Apache-2.0
//
// Two sockets as one connection: what either gives the other gets, through a pipe, so that it stays in the kernel
// (splice(2)). An end of one direction is an end of that direction alone.

#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ROUNDS = 16,              ///< before others have their turn
    PIPE_SIZE = 256 * 1024,   ///< bytes; what a user may have of them is bounded, see pipe(7)
    LARGE_PIPES = 16,
    SPARE_PIPES = 64,
    FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK,
};

/// Empty ones. Most of what is read is written at once, so a few serve all connections.
static int spare[SPARE_PIPES][2];
static unsigned spare_count, made_count;

static int take_pipe(struct nsrun_way *way) {
    if (spare_count > 0) {
        spare_count--;
        way->pipe[0] = spare[spare_count][0];
        way->pipe[1] = spare[spare_count][1];
    } else {
        if (pipe2(way->pipe, O_CLOEXEC | O_NONBLOCK) != 0)
            return -errno;
        if (made_count++ < LARGE_PIPES)
            fcntl(way->pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
    }
    way->has_pipe = true;
    return 0;
}

static void give_pipe_back(struct nsrun_way *way) {
    if (!way->has_pipe)
        return;
    way->has_pipe = false;
    if (way->held == 0 && spare_count < SPARE_PIPES) {
        spare[spare_count][0] = way->pipe[0];
        spare[spare_count++][1] = way->pipe[1];
        return;
    }
    close(way->pipe[0]);
    close(way->pipe[1]);
}

/// What is in the pipe goes on. 0 where all has gone, 1 where it cannot now, or a negative errno.
static int deliver(struct nsrun_way *way, int to) {
    while (way->held > 0) {
        const ssize_t count = splice(way->pipe[0], NULL, to, NULL, way->held, FLAGS);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 && errno == EAGAIN ? 1 : count < 0 ? -errno : -EPIPE;
        way->held -= (size_t)count;
    }
    give_pipe_back(way);
    return 0;
}

static int move(struct nsrun_way *way, int from, int to) {
    for (int round = 0;; round++) {
        const int rest = deliver(way, to);
        if (rest != 0)
            return rest < 0 ? rest : NSRUN_STREAM_WAITS;
        if (way->has_ended) {
            if (!way->has_told)
                shutdown(to, SHUT_WR);
            way->has_told = true;
            return NSRUN_STREAM_WAITS;
        }
        if (round == ROUNDS)
            return NSRUN_STREAM_HAS_MORE;
        const int error = take_pipe(way);
        if (error < 0)
            return error;
        ssize_t count;
        do {
            count = splice(from, NULL, way->pipe[1], NULL, PIPE_SIZE, FLAGS);
        } while (count < 0 && errno == EINTR);
        if (count < 0) {
            const int reason = errno;
            give_pipe_back(way);
            return reason == EAGAIN ? NSRUN_STREAM_WAITS : -reason;
        }
        way->has_ended = count == 0;
        way->held = (size_t)count;
    }
}

int nsrun_stream_move(struct nsrun_stream *stream) {
    bool has_more = false;
    for (int i = 0; i < 2; i++) {
        const int result = move(&stream->ways[i], stream->ends[i], stream->ends[1 - i]);
        if (result < 0)
            return result;
        has_more |= result == NSRUN_STREAM_HAS_MORE;
    }
    if (stream->ways[0].has_told && stream->ways[1].has_told)
        return NSRUN_STREAM_HAS_ENDED;
    return has_more ? NSRUN_STREAM_HAS_MORE : NSRUN_STREAM_WAITS;
}

void nsrun_stream_close(struct nsrun_stream *stream, bool broken) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        give_pipe_back(&stream->ways[i]);
        if (stream->ends[i] < 0)
            continue;
        if (broken)
            setsockopt(stream->ends[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(stream->ends[i]);
    }
}
