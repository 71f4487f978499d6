// SPDX-License-Identifier: Apache-2.0
//
// A scope of systemd's for this very process, as systemd-run --scope makes one for itself: the one call of D-Bus that it
// takes, over the manager's own socket, by which it knows whose process is meant, whatever number that has here.

#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "include/groups.h"
#include "include/host.h"
#include "syscalls.h"

enum {
    PATIENCE = 10,   ///< in seconds, for an answer
    MESSAGE = 2048,  ///< bytes that one of ours has at most
    ANSWER = 8192,
    RETURNED = 2, FAILED = 3,   ///< kinds of messages
};

// MARK: What is asked (D-Bus specification, "Message Protocol")

struct message {
    size_t length;
    bool is_full;
    char bytes[MESSAGE];
};

static void put(struct message *m, const void *bytes, size_t size) {
    m->is_full = m->is_full || size > sizeof m->bytes - m->length;
    if (m->is_full)
        return;
    memcpy(m->bytes + m->length, bytes, size);
    m->length += size;
}

static void pad(struct message *m, size_t alignment) {
    while (m->length % alignment != 0 && !m->is_full)
        put(m, "", 1);
}

static void put_number(struct message *m, uint32_t number) {
    pad(m, 4);
    put(m, &number, sizeof number);
}

static void put_string(struct message *m, const char *text) {
    put_number(m, (uint32_t)strlen(text));
    put(m, text, strlen(text) + 1);
}

static void put_signature(struct message *m, const char *text) {
    const char length = (char)strlen(text);
    put(m, &length, 1);
    put(m, text, strlen(text) + 1);
}

/// The length before an array of structures is known when it is done: where it begins.
static size_t begin_array(struct message *m, size_t *length_at) {
    put_number(m, 0);
    *length_at = m->length - 4;
    pad(m, 8);
    return m->length;
}

static void end_array(struct message *m, size_t begin, size_t length_at) {
    const uint32_t length = (uint32_t)(m->length - begin);
    if (!m->is_full)
        memcpy(m->bytes + length_at, &length, sizeof length);
}

static void put_property(struct message *m, const char *name, const char *type) {
    pad(m, 8);
    put_string(m, name);
    put_signature(m, type);
}

static void put_text(struct message *m, const char *name, const char *value) {
    put_property(m, name, "s");
    put_string(m, value);
}

static void put_body(struct message *m, const char *name, const char *slice) {
    size_t at;
    put_string(m, name);
    put_string(m, "fail");
    const size_t properties = begin_array(m, &at);
    put_text(m, "Description", "nsrun, a run with limits");
    // Whoever asks.
    put_property(m, "PIDs", "au");
    put_number(m, sizeof(uint32_t));
    put_number(m, 0);
    put_property(m, "Delegate", "b");
    put_number(m, 1);
    put_text(m, "CollectMode", "inactive-or-failed");
    if (slice != NULL)
        put_text(m, "Slice", slice);
    end_array(m, properties, at);
    // No further units.
    begin_array(m, &at);
}

static void put_field(struct message *m, char code, const char *type, const char *value) {
    pad(m, 8);
    put(m, &code, 1);
    put_signature(m, type);
    if (*type == 'g')
        put_signature(m, value);
    else
        put_string(m, value);
}

static void put_call(struct message *m, const struct message *body) {
    static const char manager[] = "org.freedesktop.systemd1.Manager";
    const char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';
    put(m, &order, 1);
    put(m, "\1\0\1", 3);   // a call that is answered, version 1
    put_number(m, (uint32_t)body->length);
    put_number(m, 1);
    size_t at;
    const size_t fields = begin_array(m, &at);
    put_field(m, 1, "o", "/org/freedesktop/systemd1");
    put_field(m, 2, "s", manager);
    put_field(m, 3, "s", "StartTransientUnit");
    put_field(m, 6, "s", "org.freedesktop.systemd1");
    put_field(m, 8, "g", "ssa(sv)a(sa(sv))");
    end_array(m, fields, at);
    pad(m, 8);
    put(m, body->bytes, body->length);
}

// MARK: What is answered

/// Exactly so many bytes. 0 or a negative errno.
static int take(int socket, char *bytes, size_t size, int64_t until) {
    for (size_t have = 0; have < size;) {
        const int64_t left = until - nsrun_now();
        struct pollfd answer = {.fd = socket, .events = POLLIN};
        if (left <= 0 || poll(&answer, 1, (int)(left / 1000000) + 1) == 0)
            return -ETIMEDOUT;
        const ssize_t count = recv(socket, bytes + have, size - have, MSG_DONTWAIT);
        if (count == 0)
            return -EPIPE;
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        have += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

/// It knows who we are by the socket. 0 or a negative errno.
static int greet(int socket, int64_t until) {
    char uid[16], greeting[80] = {0};
    snprintf(uid, sizeof uid, "%u", getuid());
    size_t length = 1 + (size_t)sprintf(greeting + 1, "AUTH EXTERNAL ");
    for (const char *digit = uid; *digit != 0; digit++)
        length += (size_t)sprintf(greeting + length, "%02x", (unsigned)*digit);
    length += (size_t)sprintf(greeting + length, "\r\nBEGIN\r\n");
    int error = nsrun_result(send(socket, greeting, length, MSG_NOSIGNAL)) < 0 ? -errno : 0;
    char line[256];
    for (size_t at = 0; error == 0; at++) {
        if (at == sizeof line)
            return -EPROTO;
        error = take(socket, line + at, 1, until);
        if (error == 0 && line[at] == '\n')
            return at > 2 && memcmp(line, "OK", 2) == 0 ? 0 : -EACCES;
    }
    return error;
}

static uint32_t number_at(const char *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

/// Waits for the answer. 0 or a negative errno.
static int await_answer(int socket, char *text, size_t size, int64_t until) {
    char answer[ANSWER];
    for (;;) {
        int error = take(socket, answer, 16, until);
        if (error < 0)
            return error;
        const size_t body = number_at(answer + 4), fields = ((size_t)number_at(answer + 12) + 7) & ~(size_t)7;
        const char kind = answer[1];
        if (body > sizeof answer || fields > sizeof answer - 1)
            return -EPROTO;
        error = take(socket, answer, fields, until);
        if (error == 0)
            error = take(socket, answer, body, until);
        if (error < 0 || kind == RETURNED)
            return error;
        if (kind != FAILED)
            continue;   // a signal, for whoever wants it
        const size_t length = body < 5 ? 0 : number_at(answer);
        if (length > 0 && length < body - 4)
            snprintf(text, size, "%.*s", (int)length, answer + 4);
        return -EREMOTEIO;
    }
}

int nsrun_ask_for_scope(const char *path, const char *name, const char *slice, char *text, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct message body = {0}, call = {0};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    put_body(&body, name, slice);
    put_call(&call, &body);
    if (body.is_full || call.is_full)
        return -ENAMETOOLONG;
    const int manager = nsrun_above_standard(nsrun_result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    if (manager < 0)
        return manager;
    const int64_t until = nsrun_now() + (int64_t)PATIENCE * 1000000000;
    snprintf(text, size, "it does not say why");
    int error = nsrun_result(connect(manager, (struct sockaddr *)&address, sizeof address));
    if (error == 0)
        error = greet(manager, until);
    if (error == 0 && send(manager, call.bytes, call.length, MSG_NOSIGNAL) != (ssize_t)call.length)
        error = -EPIPE;
    if (error == 0)
        error = await_answer(manager, text, size, until);
    close(manager);
    return error;
}
