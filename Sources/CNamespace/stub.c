// SPDX-License-Identifier: Apache-2.0
//
// The program that starts the command: a small one in memory, sealed, which the process that becomes the command is
// first.
//
// The kernel looks up a program, the interpreter of its #! line and its ELF interpreter while the process still is what
// it was before, and has open what it had open. Were that nsrun, a root could name /proc/self/exe there: the host's
// nsrun would start inside with the root's arguments, and could be opened for writing by what it starts (CVE-2019-5736);
// or /proc/self/fd/N, and leave by whatever is open (CVE-2024-21626). So this process becomes the stub first: all
// descriptors that are not the command's are closed then, and its executable is a file in memory that nobody can write
// to and that means nothing to anybody else. What it can be made to start is itself once more, which it refuses.
//
// The image is put together at each launch: ELF headers, orders, this code, copied out of the running program, and
// data. So it is there in whatever program NamespaceKit is a part of, and there is no file to find.

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "pidone.h"
#include "executor.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u   // Linux 6.3
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20   // Linux 6.3
#endif

/// The image: what stands before the code.
struct head {
    Elf64_Ehdr elf;
    Elf64_Phdr parts[2];
    struct nsrun_orders orders;
} __attribute__((aligned(64)));

// MARK: In the image

__asm__(".pushsection nsrun_stub,\"ax\",@progbits\n"
        ".hidden __start_nsrun_stub\n"
        ".hidden nsrun_stub_entry\n"
        ".globl nsrun_stub_entry\n"
        ".type nsrun_stub_entry,@function\n"
        "nsrun_stub_entry:\n"
#if defined __x86_64__
        "    xorl %ebp, %ebp\n"
        "    movq %rsp, %rdi\n"
        "    leaq __start_nsrun_stub(%rip), %rsi\n"
        "    andq $-16, %rsp\n"
        "    call nsrun_stub_main\n"
        "    hlt\n"
#elif defined __aarch64__
        "    mov x29, #0\n"
        "    mov x0, sp\n"
        "    adr x1, __start_nsrun_stub\n"
        "    bl nsrun_stub_main\n"
        "    brk #0\n"
#endif
        ".popsection\n");

NSRUN_STUB_INLINE __attribute__((noreturn)) void leave(int status) {
    for (;;)
        nsrun_stub_call(SYS_exit_group, status, 0, 0, 0, 0);
}

NSRUN_STUB static void say(const char *text) {
    long length = 0;
    while (text[length] != 0)
        length++;
    nsrun_stub_call(SYS_write, 2, (long)text, length, 0, 0);
}

/// Tells the launcher, who knows the words for it, or says it where nobody is left to tell. By write(2) alone, which
/// filters allow.
NSRUN_STUB static void fail(const char *image, const struct nsrun_orders *orders, int step, int error) {
    if (orders->channel >= 0) {
        struct nsrun_report report;
        const struct nsrun_report *prepared = (const void *)(image + orders->report);
        const long size = (long)offsetof(struct nsrun_report, text) + prepared->head.length;
        for (long i = 0; i < size; i++)
            ((char *)&report)[i] = ((const char *)prepared)[i];
        report.head.error = error;
        if (step >= 0) {
            report.head.step = step;
            report.head.call = NSRUN_CALL_STEP;
        } else if (error == ENOENT || error == ENOTDIR) {
            report.head.call = NSRUN_CALL_INTERPRETER;   // for the program was there
        }
        nsrun_stub_call(SYS_write, orders->channel, (long)&report, size, 0, 0);
    } else {
        const struct nsrun_stub_reason *reason = (const void *)(image + orders->reasons);
        while (reason->error != 0 && reason->error != error)
            reason++;
        say(image + (step >= 0 ? orders->filter_words : orders->words));
        say(reason->text);
    }
    leave(orders->exit_status);
}

/// As late as can be: a filter may allow no more than what the command does.
NSRUN_STUB static void install_filters(const char *image, const struct nsrun_orders *orders) {
    const char *next = image + orders->filters;
    for (uint32_t i = 0; i < orders->filter_count; i++) {
        const struct nsrun_stub_filter *filter = (const void *)next;
        struct sock_fprog program;
        program.len = (unsigned short)filter->length;
        program.filter = (void *)(filter + 1);
        const long error =
            nsrun_stub_call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0);
        if (error < 0)
            fail(image, orders, filter->step, (int)-error);
        next += sizeof *filter + filter->length * sizeof(struct sock_filter);
    }
}

NSRUN_STUB_INLINE void close_at_exec(int fd) {
    if (fd >= 0)
        nsrun_stub_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0);
}

/// For a pid 1 that cannot. The launcher sends nothing but its answer.
NSRUN_STUB static void announce(const char *image, const struct nsrun_orders *orders) {
    nsrun_stub_call(SYS_sendto, orders->channel, (long)(image + orders->announcement),
                    sizeof(struct nsrun_report_head), MSG_NOSIGNAL, 0);
    char answer;
    while (nsrun_stub_call(SYS_recvfrom, orders->channel, (long)&answer, 1, 0, 0) == -EINTR) {
    }
}

/// A pid 1 that cannot look whether its launcher is there ends by the kernel's hand, or now if that is gone.
NSRUN_STUB static void follow(const struct nsrun_pid_one *one) {
    nsrun_stub_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    struct pollfd channel;
    channel.fd = one->channel;
    channel.events = 0;
    channel.revents = 0;
    struct timespec now;
    now.tv_sec = 0;
    now.tv_nsec = 0;
    nsrun_stub_call(SYS_ppoll, (long)&channel, 1, (long)&now, 0, 0);
    if (channel.revents & POLLHUP)
        leave(128 + SIGKILL);
}

NSRUN_STUB void nsrun_stub_main(char **stack, const char *code) {
    const char *const image = code - sizeof(struct head);
    const struct nsrun_orders *const orders = &((const struct head *)(const void *)image)->orders;
    // A program whose interpreter is this one, by a link of proc, would start it again, for ever.
    if (nsrun_stub_call(SYS_close, orders->own, 0, 0, 0, 0) != 0) {
        say(image + orders->refusal);
        leave(126);
    }
    if (orders->kind == NSRUN_STUB_PID_ONE) {
        struct nsrun_pid_one one;
        for (unsigned long i = 0; i < sizeof one; i++)
            ((char *)&one)[i] = ((const char *)&orders->one)[i];
        nsrun_stub_call(SYS_prctl, PR_SET_NAME, (long)(image + orders->path), 0, 0, 0);
        if (one.is_quiet && one.follows)
            follow(&one);
        install_filters(image, orders);
        nsrun_stub_call(SYS_write, one.turn, (long)(image + orders->path), 1, 0, 0);
        if (!one.is_quiet)
            nsrun_stub_call(SYS_close, one.turn, 0, 0, 0, 0);
        nsrun_be_pid_one(&one);
    }
    if (orders->announcement != 0)
        announce(image, orders);
    close_at_exec(orders->channel);
    close_at_exec(orders->ready);
    install_filters(image, orders);
    char **const arguments = stack + 1;
    char **const environment = arguments + (long)stack[0] + 1;
    const long error = nsrun_stub_call(SYS_execve, (long)(image + orders->path), (long)arguments,
                                       (long)environment, 0, 0);
    if (error == -ENOEXEC && orders->shell != 0) {
        // As execvp(3). The place of the number of arguments is room for the one that is added.
        stack[0] = (char *)(image + orders->shell);
        stack[1] = (char *)(image + orders->path);
        nsrun_stub_call(SYS_execve, (long)stack[0], (long)stack, (long)environment, 0, 0);
    }
    fail(image, orders, -1, (int)-error);
}

// MARK: Making it

extern const char __start_nsrun_stub[], __stop_nsrun_stub[], nsrun_stub_entry[];

/// A file in memory, or, where memory may not be executed (vm.memfd_noexec=2), a nameless one of a tmpfs that is
/// mounted nowhere. Both are of this launch alone.
static int make_memory(struct nsrun_world *w) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = nsrun_result(memfd_create("nsrun", flags | MFD_EXEC));
    if (fd == -EINVAL)
        fd = nsrun_result(memfd_create("nsrun", flags));
    w->stub_is_sealed = fd >= 0;
    return fd;
}

static int make_file(struct nsrun_world *w) {
    static const char *const options[] = {"mode", "0700", NULL};
    static const char name[] = "nsrun";
    const int folder = nsrun_make_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (folder < 0)
        return folder;
    int fd = nsrun_result(openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
    // Nothing can be started that is open for writing.
    w->stub_to_start = fd < 0 ? -1 : nsrun_result(openat(folder, name, O_RDONLY | O_CLOEXEC));
    if (fd >= 0)
        unlinkat(folder, name, 0);
    close(folder);
    return fd < 0 || w->stub_to_start >= 0 ? fd : w->stub_to_start;
}

int nsrun_open_stub(struct nsrun_world *w, const struct nsrun_step *step) {
    (void)step;
    int fd = make_memory(w);
    // Only who may mount can do without, and only where it is forbidden there is a need.
    const bool is_forbidden = nsrun_is_lacking(fd) || fd == -EACCES || fd == -EINVAL;
    if (is_forbidden && !nsrun_is_classic(w)) {
        fd = make_file(w);
        w->stub_to_start = nsrun_above_standard(w->stub_to_start);
    }
    w->stub = nsrun_above_standard(fd);
    return w->stub < 0 ? w->stub : 0;
}

/// The pieces of the image, which are written with one call. What needs to be aligned comes before what does not.
struct pieces {
    struct iovec list[96];
    int count;
    size_t size;
};

static uint32_t add(struct pieces *pieces, const void *bytes, size_t size) {
    const size_t place = pieces->size;
    pieces->list[pieces->count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = size};
    pieces->size += size;
    return (uint32_t)place;
}

/// The beginning of an image. The head is filled in when all is known.
static void begin(struct pieces *pieces, struct head *head) {
    static const char zeros[16];
    *pieces = (struct pieces){.count = 0};
    add(pieces, head, sizeof *head);
    add(pieces, __start_nsrun_stub, (size_t)(__stop_nsrun_stub - __start_nsrun_stub));
    add(pieces, zeros, (16 - pieces->size % 16) % 16);
}

enum { MOST_FILTERS = 32 };

/// The command's filters, which are steps of the plan.
static int add_filters(const struct nsrun_world *w, struct pieces *pieces, struct nsrun_orders *orders) {
    static struct nsrun_stub_filter heads[MOST_FILTERS];
    orders->filters = (uint32_t)pieces->size;
    for (size_t i = w->plan->command_start; i < w->plan->count; i++) {
        const struct nsrun_step *step = &w->plan->steps[i];
        if (step->op != NSRUN_OP_SECCOMP)
            continue;
        if (orders->filter_count == MOST_FILTERS)
            return -E2BIG;
        struct nsrun_stub_filter *head = &heads[orders->filter_count++];
        head->step = (int32_t)i;
        head->length = (uint32_t)(step->length / sizeof(struct sock_filter));
        add(pieces, head, sizeof *head);
        add(pieces, step->data, step->length);
    }
    return 0;
}

/// The words of the C library for what may still happen when all else has been looked at.
static void fill_reasons(struct nsrun_stub_reason *reasons, size_t count) {
    static const int errors[] = {EACCES, EPERM,   EIO,    ENOMEM, ETXTBSY, ELIBBAD, ENOEXEC, EINVAL,
                                 ENOENT, ENOTDIR, ELOOP,  EMFILE, ENFILE,  E2BIG,   EAGAIN};
    memset(reasons, 0, count * sizeof *reasons);
    size_t i = 0;
    for (; i < sizeof errors / sizeof errors[0] && i + 1 < count; i++) {
        reasons[i].error = errors[i];
        strncpy(reasons[i].text, strerror(errors[i]), sizeof reasons[i].text - 2);
        strcat(reasons[i].text, "\n");
    }
    strcpy(reasons[i].text, "the kernel refuses it\n");
}

static int write_image(struct nsrun_world *w, struct head *head, struct pieces *pieces) {
    const size_t size = pieces->size;
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size)
        return -EFBIG;   // and not the signal that comes with it
    head->elf = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
#if defined __x86_64__
        .e_machine = EM_X86_64,
#elif defined __aarch64__
        .e_machine = EM_AARCH64,
#endif
        .e_version = EV_CURRENT,
        .e_entry = sizeof *head + (uint64_t)(nsrun_stub_entry - __start_nsrun_stub),
        .e_phoff = offsetof(struct head, parts),
        .e_ehsize = sizeof head->elf,
        .e_phentsize = sizeof head->parts[0],
        .e_phnum = 2,
    };
    head->parts[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = size, .p_memsz = size,
                                  .p_align = 0x10000};
    head->parts[1] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16};
    const ssize_t written = writev(w->stub, pieces->list, pieces->count);
    if (written < 0)
        return -errno;
    return (size_t)written == size ? 0 : -EIO;
}

/// From here on nobody can change it.
static int seal(struct nsrun_world *w) {
    if (!w->stub_is_sealed) {
        close(w->stub);
        w->stub = w->stub_to_start;
        w->stub_to_start = -1;
        return 0;
    }
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (fcntl(w->stub, F_ADD_SEALS, seals | F_SEAL_EXEC) == 0)
        return 0;
    return errno == EINVAL && fcntl(w->stub, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

static int start_image(struct nsrun_world *w, struct head *head, struct pieces *pieces, char *const arguments[],
                       char *const environment[]) {
    static const char refusal[] = "nsrun: cannot run a program whose interpreter is the process itself\n";
    head->orders.refusal = add(pieces, refusal, sizeof refusal);
    head->orders.own = w->stub_is_sealed ? w->stub : w->stub_to_start;
    int error = write_image(w, head, pieces);
    if (error == 0)
        error = seal(w);
    if (error == 0 && fcntl(w->stub, F_SETFD, 0) != 0)
        error = -errno;
    if (error == 0)
        error = nsrun_restore_file_size(w);
    if (error == 0) {
        syscall(SYS_execveat, w->stub, "", arguments, environment, AT_EMPTY_PATH);
        error = -errno;
    }
    return error;
}

/// Stays open when the stub is started. What is not a descriptor stays none.
static void keep_open(int fd) {
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

int nsrun_start_by_stub(struct nsrun_world *w, const char *path, char *const arguments[]) {
    static struct head head;
    static struct pieces pieces;
    static struct nsrun_stub_reason reasons[16];
    static struct nsrun_report_head failure;
    static const struct nsrun_report_head start = {.kind = NSRUN_REPORT_STARTED};
    static const char shell[] = "/bin/sh";
    struct nsrun_orders *orders = &head.orders;
    *orders = (struct nsrun_orders){.kind = NSRUN_STUB_COMMAND, .channel = w->channel, .ready = w->ready};
    begin(&pieces, &head);
    int error = add_filters(w, &pieces, orders);
    if (error < 0)
        return error;
    if (w->plan->flags & NSRUN_QUIET_INIT)
        orders->announcement = add(&pieces, &start, sizeof start);
    if (w->channel >= 0) {
        failure = (struct nsrun_report_head){.kind = NSRUN_REPORT_FAILED,
                                             .step = (int32_t)(w->plan->count - 1),
                                             .call = NSRUN_CALL_RUN,
                                             .length = w->report->head.length};
        orders->exit_status = 127;
        orders->report = add(&pieces, &failure, sizeof failure);
        add(&pieces, w->report->text, failure.length);
    } else {
        fill_reasons(reasons, sizeof reasons / sizeof reasons[0]);
        orders->exit_status = w->plan->failure_status;
        orders->reasons = add(&pieces, reasons, sizeof reasons);
        orders->filter_words = add(&pieces, w->plan->filter_words, strlen(w->plan->filter_words));
        add(&pieces, ": ", sizeof ": ");
        orders->words = add(&pieces, w->plan->failure_words, strlen(w->plan->failure_words));
        add(&pieces, path, strlen(path));
        add(&pieces, ": ", sizeof ": ");
    }
    orders->path = add(&pieces, path, strlen(path) + 1);
    if (w->is_script)
        orders->shell = add(&pieces, shell, sizeof shell);
    keep_open(w->channel);
    keep_open(w->ready);
    return start_image(w, &head, &pieces, arguments, w->plan->environment);
}

/// Of the caller's descriptors only those that are kept stay open when the stub is started.
static void keep_only(const struct nsrun_world *w, const int *own, size_t count) {
    for (int fd = 0; fd <= 2; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    nsrun_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < count; i++)
        keep_open(own[i]);
    for (size_t i = 0; i < w->kept_count; i++)
        keep_open(w->plan->kept_fds[i]);
}

int nsrun_continue_by_stub(struct nsrun_world *w, const struct nsrun_pid_one *one) {
    static struct head head;
    static struct pieces pieces;
    static char name[] = "nsrun";
    static char comm[16];   // as it was: bwrap's callers look for that name
    static const struct nsrun_stub_reason reason = {.text = ": cannot install a seccomp filter\n"};
    char *const arguments[] = {name, NULL}, *environment[] = {NULL};
    int error = nsrun_open_stub(w, NULL);
    if (error < 0)
        return error;
    struct nsrun_orders *orders = &head.orders;
    *orders = (struct nsrun_orders){.kind = NSRUN_STUB_PID_ONE, .channel = -1, .ready = -1, .exit_status = 125, .one = *one};
    begin(&pieces, &head);
    error = add_filters(w, &pieces, orders);
    if (error < 0)
        return error;
    orders->reasons = add(&pieces, &reason, sizeof reason);
    orders->filter_words = add(&pieces, name, sizeof name);
    prctl(PR_GET_NAME, comm, 0, 0, 0);
    orders->path = add(&pieces, comm, sizeof comm);
    const int own[] = {one->channel, one->life, one->signals, one->ready, one->turn};
    keep_only(w, own, sizeof own / sizeof own[0]);
    return start_image(w, &head, &pieces, arguments, environment);
}
