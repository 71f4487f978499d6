// SPDX-License-Identifier: Apache-2.0
//
// Patterns of paths: `*`, `?` and `[...]` stand for what is in one component, a leading dot included, and `**` as a
// component for any number of them, none included. A backslash takes the meaning of what follows.

#include <string.h>

#include "include/parsers.h"

/// Whether a byte is of a class that begins behind its bracket; `end` becomes what follows, NULL where there is no end.
static bool is_of(const char *class, unsigned char byte, const char **end) {
    const bool inverted = *class == '!' || *class == '^';
    bool found = false;
    *end = NULL;
    const char *p = class + inverted;
    for (bool first = true; *p != 0 && (first || *p != ']'); first = false) {
        const unsigned char low = (unsigned char)*p++;
        unsigned char high = low;
        if (p[0] == '-' && p[1] != 0 && p[1] != ']') {
            high = (unsigned char)p[1];
            p += 2;
        }
        found |= low <= byte && byte <= high;
    }
    if (*p == ']')
        *end = p + 1;
    return found != inverted;
}

static bool fits(const char *p, const char *s, bool begins) {
    for (;;) {
        if (begins && p[0] == '*' && p[1] == '*' && (p[2] == '/' || p[2] == 0)) {
            if (p[2] == 0)
                return true;
            while (!fits(p + 3, s, true)) {
                s = strchr(s, '/');
                if (s == NULL)
                    return false;
                s++;
            }
            return true;
        }
        const char *end;
        begins = false;
        if (*p == 0)
            return *s == 0;
        if (*p == '*') {
            while (*p == '*')
                p++;
            while (!fits(p, s, false))
                if (*s == 0 || *s++ == '/')
                    return false;
            return true;
        }
        const bool is_plain = *s != 0 && *s != '/';
        const bool is_member = *p == '[' && is_of(p + 1, (unsigned char)*s, &end);
        if (*p == '[' && end != NULL) {
            if (!is_plain || !is_member)
                return false;
            p = end;
            s++;
            continue;
        }
        if (*p == '?') {
            if (!is_plain)
                return false;
        } else {
            if (*p == '\\' && p[1] != 0)
                p++;
            if (*p != *s)
                return false;
            begins = *p == '/';
        }
        p++;
        s++;
    }
}

bool nsrun_fits(const char *pattern, const char *path) { return fits(pattern, path, true); }
