// The last steps: the working directory and the program itself.

#define _GNU_SOURCE
#include <linux/close_range.h>
#include <string.h>

#include "world.h"

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
    }
    return error;
}

/// Sends home what Swift needs to say why a program that is there would not start: how its file begins.
static void read_head(struct nsrun_report *report, const char *path) {
    report->length = 0;
    size_t size = strlen(path) + 1;
    if (size > NSRUN_REPORT_TEXT / 2)
        return;
    memcpy(report->text, path, size);
    report->length = (uint32_t)size;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        ssize_t count = read(fd, report->text + size, NSRUN_REPORT_TEXT - size);
        if (count > 0)
            report->length += (uint32_t)count;
    }
    close(fd);
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
    const bool name_by_path = arguments[0] == NULL;
    for (const int *fd = plan->close_fds; *fd >= 0; fd++)
        close(*fd);
    nsrun_let_go(w);   // a program's name is the root's to resolve, too
    // A program with threads and libraries of its own would hand down descriptors that it does not know of, and
    // signals that it ignores.
    if (plan->flags & (NSRUN_CLEAN_START | NSRUN_HAS_HANDLERS))
        forget_handlers(plan->flags & NSRUN_CLEAN_START);
    if (plan->flags & NSRUN_CLEAN_START)
        nsrun_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (plan->flags & NSRUN_RESTORE_CHILDREN)
        nsrun_disregard_children();
    umask(w->old_umask);
    nsrun_sigprocmask(SIG_SETMASK, &plan->signal_mask, NULL);
    int found = -ENOENT;
    const char *culprit = NULL;
    for (size_t i = 0; step->list[i] != NULL; i++) {
        const char *path = step->list[i];
        if (name_by_path)
            arguments[0] = (char *)path;
        execve(path, arguments, plan->environment);
        int error = -errno;
        // As execvp(3): a directory on the PATH that holds nothing or nothing usable is passed over.
        struct stat status;
        if (stat(path, &status) != 0)
            continue;
        if (error == -ENOENT || error == -ENOTDIR) {
            culprit = path;   // it is there, so its interpreter is what is missing
            found = error;
            w->call = NSRUN_CALL_INTERPRETER;
            break;
        }
        if (culprit == NULL) {
            culprit = path;
            found = error;
            w->call = NSRUN_CALL_RUN;
        }
        if (error != -EACCES)
            break;
    }
    if (culprit != NULL)
        read_head(w->report, culprit);
    return found;
}
