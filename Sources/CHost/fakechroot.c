// SPDX-License-Identifier: Apache-2.0
//
// What nsrun does as a program among those that libfakechroot starts: it stands before the root's loader and
// before env(1), for what libfakechroot would do there is wrong without a word. It lies, as a link, in the private
// directory of the run, beside a link to the loader and the directory that is the root.

#define _GNU_SOURCE
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "include/host_parsers.h"
#include "include/host.h"
#include "syscalls.h"

extern char **environ;

/// libfakechroot has room for so many arguments, and drops the others.
enum { MOST_ARGUMENTS = 1022 };

static char folder[PATH_MAX];   // the run's private directory

static int refuse(const char *program, const char *reason) {
    dprintf(2, "nsrun: cannot run %s: %s\n", program, reason);
    return 126;
}

/// Whether a part of the file with notes has the build id of Go's linker.
static bool has_go_note(int fd, const ElfW(Phdr) *part) {
    static const char id[] = "\4\0\0\0Go\0";   // type 4 of the owner "Go"
    char notes[4096];
    const size_t wanted = part->p_filesz < sizeof notes ? part->p_filesz : sizeof notes;
    const ssize_t length = pread(fd, notes, wanted, (off_t)part->p_offset);
    return length > 0 && memmem(notes, (size_t)length, id, sizeof id) != NULL;
}

const char *nsrun_program_defect(int fd) {
    unsigned char bytes[sizeof(ElfW(Ehdr)) + 64 * sizeof(ElfW(Phdr))];
    const ssize_t length = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    ElfW(Ehdr) head, own;
    if (length < (ssize_t)sizeof head || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return NULL;
    memcpy(&head, bytes, sizeof head);
    memcpy(&own, (const void *)(getauxval(AT_PHDR) & ~4095ul), sizeof own);
    if (head.e_machine != own.e_machine || head.e_ident[EI_CLASS] != own.e_ident[EI_CLASS])
        return "it is built for another architecture; the engine proot runs it through QEMU";
    bool is_dynamic = false;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) part;
        const size_t at = head.e_phoff + i * sizeof part;
        if (head.e_phentsize != sizeof part || at > (size_t)length - sizeof part)
            return NULL;
        memcpy(&part, bytes + at, sizeof part);
        is_dynamic |= part.p_type == PT_INTERP;
        if (part.p_type == PT_NOTE && has_go_note(fd, &part))
            return "it is built by Go, and would leave the root; the engine proot runs it";
    }
    return is_dynamic ? NULL
                      : "it is linked statically, as programs in Go are, and would leave the root; the engine "
                        "proot runs it";
}

static const char *defect(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *reason = nsrun_program_defect(fd);
    if (fd >= 0)
        close(fd);
    return reason;
}

/// Starts a program by the root's loader, which is told the name where it takes one.
static int start(const char *path, const char *name, char *const arguments[], size_t count) {
    char **vector = calloc(count + 5, sizeof *vector);
    char loader[PATH_MAX + 16], without_links[PATH_MAX];
    if (vector == NULL)
        return refuse(name, "out of memory");
    size_t at = 0;
    vector[at++] = loader;
    snprintf(loader, sizeof loader, "%s/ld.so-argv0", folder);
    if (access(loader, X_OK) == 0) {
        vector[at++] = "--argv0";
        vector[at++] = (char *)name;
        // $ORIGIN is where the file lies, not a link to it: the loader takes that from the path.
        if (realpath(path, without_links) != NULL)
            path = without_links;
    } else {
        snprintf(loader, sizeof loader, "%s/ld.so", folder);
    }
    vector[at++] = (char *)path;
    memcpy(vector + at, arguments, count * sizeof *vector);
    execv(loader, vector);
    return refuse(name, strerror(errno));
}

/// The loader as a program of the root's, as ldd(1) starts it: it reads the file that it is given by itself.
static int start_loader(int argc, char *argv[]) {
    char loader[PATH_MAX + 16], program[2 * PATH_MAX];
    snprintf(loader, sizeof loader, "%s/ld.so", folder);
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        snprintf(program, sizeof program, "%s/root%s", folder, argv[i]);
        if (argv[i][0] == '/' && access(program, F_OK) == 0)
            argv[i] = program;
        break;
    }
    execv(loader, argv + 1);
    return refuse(argv[1], strerror(errno));
}

static bool is_loader(const char *path) {
    char loader[PATH_MAX + 16];
    struct stat one, other;
    snprintf(loader, sizeof loader, "%s/ld.so", folder);
    return stat(path, &one) == 0 && stat(loader, &other) == 0 && one.st_ino == other.st_ino
           && one.st_dev == other.st_dev;
}

/// In place of the loader: FILE [ARG]...
static int load(int argc, char *argv[]) {
    if (argc < 2)
        return 125;
    char root[PATH_MAX + 8];
    snprintf(root, sizeof root, "%s/root", folder);
    const size_t length = strlen(root);
    const char *name = strncmp(argv[1], root, length) == 0 && argv[1][length] == '/'
                           ? argv[1] + length : argv[1];
    if (argc > MOST_ARGUMENTS)
        return refuse(name, "libfakechroot hands on no more than 1,020 arguments");
    const char *reason = defect(argv[1]);
    if (reason != NULL && is_loader(argv[1]))
        return start_loader(argc, argv);
    return reason != NULL ? refuse(name, reason) : start(argv[1], name, argv + 2, argc - 2);
}

bool nsrun_takes_empty(char *word, bool *skips) {
    *skips = false;
    if (strcmp(word, "-") == 0 || strcmp(word, "--ignore-environment") == 0)
        return true;
    if (strncmp(word, "--", 2) == 0) {
        *skips = strcmp(word, "--unset") == 0 || strcmp(word, "--chdir") == 0
                 || strcmp(word, "--split-string") == 0;
        return false;
    }
    bool found = false;
    char *to = word + 1;
    for (char *from = word + 1; *from != 0; from++) {
        if (*from == 'i') {
            found = true;
            continue;
        }
        *to++ = *from;
        if (strchr("uCSa", *from) != NULL) {   // the rest is its value, or the next word is
            *skips = from[1] == 0;
            memmove(to, from + 1, strlen(from + 1) + 1);
            return found;
        }
    }
    *to = 0;
    return found;
}

/// libfakechroot finds its way by the environment.
static bool is_vital(const char *entry) {
    static const char *const names[] = {"FAKECHROOT", "LD_LIBRARY_PATH=", "LD_PRELOAD=", "GCONV_PATH=",
                                        "LOCPATH="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/// In place of env(1): where the environment is to be empty, all is unset but what keeps the command inside.
static int clear(int argc, char *argv[]) {
    const char *original = getenv("FAKECHROOT_CMD_ORIG"), *base = getenv("FAKECHROOT_BASE_ORIG");
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/root%s", folder, original != NULL ? original : "/usr/bin/env");
    if (base != NULL)
        setenv("FAKECHROOT_BASE", base, 1);
    unsetenv("FAKECHROOT_BASE_ORIG");
    unsetenv("FAKECHROOT_CMD_ORIG");
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **arguments = calloc(2 * count + (size_t)argc + 1, sizeof *arguments);
    if (arguments == NULL)
        return refuse("env", "out of memory");
    bool is_empty = false, skips = false;
    int first = 1;
    for (; first < argc && argv[first][0] == '-' && strcmp(argv[first], "--") != 0; first++) {
        is_empty |= nsrun_takes_empty(argv[first], &skips);
        first += skips && first + 1 < argc;
    }
    size_t at = 0;
    for (size_t i = 0; is_empty && i < count; i++) {
        const char *end = strchr(environ[i], '=');
        if (end == NULL || is_vital(environ[i]))
            continue;
        arguments[at++] = "-u";
        arguments[at++] = strndup(environ[i], (size_t)(end - environ[i]));
    }
    for (int i = 1; i < argc; i++) {
        const bool is_spent = i < first && (strcmp(argv[i], "-") == 0
                              || strcmp(argv[i], "--ignore-environment") == 0);
        if (!is_spent)
            arguments[at++] = argv[i];
    }
    return start(path, original != NULL ? original : "env", arguments, at);
}

int nsrun_stand_in(int argc, char *argv[]) {
    const char *own = (const char *)getauxval(AT_EXECFN);
    const char *name = own == NULL ? NULL : strrchr(own, '/');
    if (name == NULL || (size_t)(name - own) >= sizeof folder)
        return -1;
    memcpy(folder, own, (size_t)(name - own));
    if (strcmp(name, "/" NSRUN_LOADER) == 0)
        return load(argc, argv);
    return strcmp(name, "/" NSRUN_ENV) == 0 ? clear(argc, argv) : -1;
}
