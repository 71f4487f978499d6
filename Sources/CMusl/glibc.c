// SPDX-License-Identifier: Apache-2.0
//
// What musl lacks of glibc, and Debian's static libraries and the Swift compiler call.
//
// The functions whose names end in _chk are those that a program built with _FORTIFY_SOURCE calls; they are in
// the Linux Standard Base. `flag` asks them to refuse %n in writable memory, which these do not.

#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

int __vsnprintf_chk(
    char *text, size_t size, int flag, size_t capacity, const char *format, va_list list) {
    (void)flag;
    if (size > capacity)
        abort();
    return vsnprintf(text, size, format, list);
}

int __snprintf_chk(
    char *text, size_t size, int flag, size_t capacity, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int length = __vsnprintf_chk(text, size, flag, capacity, format, list);
    va_end(list);
    return length;
}

int __sprintf_chk(char *text, int flag, size_t capacity, const char *format, ...) {
    (void)flag;
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, capacity, format, list);
    va_end(list);
    if (length >= 0 && (size_t)length >= capacity)
        abort();
    return length;
}

int __asprintf_chk(char **text, int flag, const char *format, ...) {
    (void)flag;
    va_list list;
    va_start(list, format);
    int length = vasprintf(text, format, list);
    va_end(list);
    return length;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    (void)flag;
    va_list list;
    va_start(list, format);
    int length = vfprintf(file, format, list);
    va_end(list);
    return length;
}

/// Embedded Swift seeds its hash tables with it.
void arc4random_buf(void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t length = getrandom((char *)bytes + done, count - done, 0);
        if (length > 0)
            done += (size_t)length;
    }
}
