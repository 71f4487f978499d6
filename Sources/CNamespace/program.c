// SPDX-License-Identifier: Apache-2.0
//
// The last steps: the working directory and the program itself.

#define _GNU_SOURCE
#include <elf.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/statvfs.h>

#include "executor.h"

static int enter_directory(const struct nsrun_world *w, const char *path) {
    const int fd = nsrun_open_inside(w, path, O_PATH | O_DIRECTORY);
    if (fd < 0)
        return fd;
    const int error = nsrun_result(fchdir(fd));
    close(fd);
    return error;
}

int nsrun_chdir(struct nsrun_world *w, const struct nsrun_step *step) {
    int error = -ENOENT;
    for (size_t i = 0; step->list[i] != NULL; i++) {
        error = enter_directory(w, step->list[i]);
        if (error == 0) {
            if (w->plan->pwd_slot != NULL && step->list2 != NULL)
                *w->plan->pwd_slot = (char *)step->list2[i];
            return 0;
        }
        // The next one is for where this one is not, and not for what has gone wrong.
        if (!nsrun_is_out_of_reach(error))
            return error;
    }
    return error;
}

/// The program's path and how its file begins, of which the launcher reads why it would not start.
static size_t read_head(const struct nsrun_world *w, const char *path) {
    struct nsrun_report *report = w->report;
    const size_t size = strlen(path) + 1;
    report->head.length = 0;
    if (size > NSRUN_REPORT_TEXT / 2)
        return 0;
    memcpy(report->text, path, size);
    report->head.length = (uint32_t)size;
    const int fd = nsrun_open_inside(w, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;   // what may be started need not be readable
    const ssize_t count = read(fd, report->text + size, NSRUN_REPORT_TEXT - size);
    close(fd);
    if (count > 0)
        report->head.length += (uint32_t)count;
    return count > 0 ? (size_t)count : 0;
}

static bool is_missing(const char *path) {
    struct stat status;
    return stat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/// The interpreter of a #! line, in `name`, empty for none. As the kernel reads the line: of the first 256 bytes.
static void find_script_interpreter(const char *head, size_t size, char name[256]) {
    size_t at = 2, length = 0;
    while (at < size && (head[at] == ' ' || head[at] == '\t'))
        at++;
    for (; at < size && at < 255 && strchr(" \t\n", head[at]) == NULL; at++)
        name[length++] = head[at];
    name[length] = 0;
}

/// The ELF interpreter of a program of this machine, NULL for none.
static const char *find_elf_interpreter(const char *head, size_t size) {
    Elf64_Ehdr elf;
    memcpy(&elf, head, sizeof elf);
    for (unsigned i = 0; i < elf.e_phnum && elf.e_phentsize == sizeof(Elf64_Phdr); i++) {
        Elf64_Phdr part;
        const uint64_t at = elf.e_phoff + (uint64_t)i * sizeof part;
        if (at > size || size - at < sizeof part)
            return NULL;
        memcpy(&part, head + at, sizeof part);
        if (part.p_type == PT_INTERP)
            return part.p_offset < size && part.p_filesz > 0 && part.p_filesz <= size - part.p_offset
                           && head[part.p_offset + part.p_filesz - 1] == 0
                       ? head + part.p_offset
                       : NULL;
    }
    return NULL;
}

static bool is_native(const char *head, size_t size) {
#if defined __x86_64__
    enum { MACHINE = EM_X86_64 };
#elif defined __aarch64__
    enum { MACHINE = EM_AARCH64 };
#endif
    Elf64_Ehdr elf;
    if (size < sizeof elf || memcmp(head, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&elf, head, sizeof elf);
    return elf.e_ident[EI_CLASS] == ELFCLASS64 && elf.e_machine == MACHINE;
}

/// Whether a file is one that execvp(3) gives to the shell: text without an interpreter of its own. What has a NUL in its
/// first line is none, and the kernel's refusal says more of it than the shell's.
static bool is_shell_script(const char *head, size_t size, const char *interpreter) {
    if (interpreter != NULL)
        return false;
    const char *line = memchr(head, '\n', size);
    return memchr(head, 0, line == NULL ? size : (size_t)(line - head)) == NULL;
}

/// Whether a program that is there can be started, as far as that can be told beforehand; where it can, the head of the
/// file stays in the record only if it does not speak for itself.
static int judge(struct nsrun_world *w, const char *path, const struct stat *status) {
    const size_t size = read_head(w, path);
    const char *head = w->report->text + strlen(path) + 1;
    char script[256] = "";
    w->call = NSRUN_CALL_RUN;
    if (!S_ISREG(status->st_mode))
        return -EACCES;
    // The real ids, which are the effective ones here; a mount without programs answers so, too.
    if (syscall(SYS_faccessat, AT_FDCWD, path, X_OK) != 0) {
        const int error = -errno;
        struct statvfs mount;
        const bool may = status->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
        if (error == -EACCES && may && statvfs(path, &mount) == 0 && (mount.f_flag & ST_NOEXEC))
            w->call = NSRUN_CALL_NO_EXECUTE;
        return error;
    }
    const bool native = is_native(head, size);
    const char *interpreter = native ? find_elf_interpreter(head, size) : NULL;
    if (size > 2 && head[0] == '#' && head[1] == '!') {
        find_script_interpreter(head, size, script);
        interpreter = script[0] != 0 ? script : NULL;
    }
    if (interpreter != NULL && is_missing(interpreter)) {
        w->call = NSRUN_CALL_INTERPRETER;
        return -ENOENT;
    }
    w->is_script = is_shell_script(head, size, interpreter);
    if (native)
        w->report->head.length = (uint32_t)strlen(path) + 1;
    return 0;
}

/// The program among the candidates that can be started, as execvp(3) looks for it: a directory of the PATH that holds
/// nothing or nothing usable is passed over. Once the stub is at work nobody is left to look, and in place nobody to
/// tell. 0, or a negative errno of the first that could not.
static int choose(struct nsrun_world *w, const struct nsrun_step *step, const char **chosen) {
    int refusal = -ENOENT;
    uint32_t call = NSRUN_CALL_STEP;
    const char *culprit = NULL;
    for (size_t i = 0; step->list[i] != NULL; i++) {
        const char *path = step->list[i];
        struct stat status;
        if (stat(path, &status) != 0) {
            if (nsrun_is_out_of_reach(-errno))
                continue;
            if (culprit == NULL) {
                culprit = path;
                refusal = -errno;
                call = NSRUN_CALL_RUN;
            }
            break;
        }
        const int error = judge(w, path, &status);
        if (error == 0) {
            *chosen = path;
            return 0;
        }
        if (culprit == NULL) {
            culprit = path;
            refusal = error;
            call = w->call;
        }
        if (error != -EACCES)
            break;
    }
    w->call = call;
    w->report->head.length = 0;
    if (culprit != NULL)
        read_head(w, culprit);
    return refusal;
}

/// Handlers are those of the program that launches: a signal that came meanwhile must not run one in its copy.
static void forget_handlers(bool ignored_too) {
    const struct nsrun_sigaction by_default = {.handler = SIG_DFL};
    struct nsrun_sigaction present = {.handler = SIG_DFL};
    for (int number = 1; number <= 64; number++) {
        if (!ignored_too)
            syscall(SYS_rt_sigaction, number, NULL, &present, sizeof present.mask);
        if (ignored_too || (present.handler != SIG_DFL && present.handler != SIG_IGN))
            nsrun_set_signal(number, &by_default);
    }
}

int nsrun_execute(struct nsrun_world *w, const struct nsrun_step *step) {
    const struct nsrun_plan *plan = w->plan;
    char **arguments = (char **)plan->arguments;
    for (const int *fd = plan->close_fds; *fd >= 0; fd++)
        close(*fd);
    nsrun_let_go(w);   // a program's name is the root's to resolve, too
    const char *path = NULL;
    int error = choose(w, step, &path);
    if (error < 0)
        return error;
    if (arguments[0] == NULL)
        arguments[0] = (char *)path;
    // A program with threads and libraries of its own would hand down descriptors that it does not know of, and
    // signals that it ignores.
    if (plan->flags & (NSRUN_CLEAN_START | NSRUN_HAS_HANDLERS))
        forget_handlers(plan->flags & NSRUN_CLEAN_START);
    if (plan->flags & NSRUN_CLEAN_START)
        nsrun_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    umask(w->old_umask);
    error = nsrun_sigprocmask(SIG_SETMASK, &plan->signal_mask, NULL);
    if (error < 0)
        return error;
    w->call = NSRUN_CALL_RUN;
    if (w->stub >= 0)
        return nsrun_start_by_stub(w, path, arguments);
    error = nsrun_restore_file_size(w);
    if (error < 0)
        return error;
    execve(path, arguments, plan->environment);
    return -errno;
}
