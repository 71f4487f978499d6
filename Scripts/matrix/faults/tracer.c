// SPDX-License-Identifier: Apache-2.0
//
// Runs a command as an ordinary account under ptrace, and makes one system call of one of its processes fail once.
//
//   tracer UID GID SECONDS REPORT ROLE NUMBER OCCURRENCE ERRNO HOW -- COMMAND...
//
// ROLE is "0" for the first process, "0.2" for its second child, and so on. The OCCURRENCEth call of NUMBER that this
// process makes gives ERRNO; with NUMBER -1 nothing fails and all calls are recorded. HOW is made of letters:
//
//   s   the call is not made at all
//   x   it is made, and its answer replaced: close(2) closes whatever it answers
//   c   children are not traced, for they are traced by another: proot
//   k   it is made, and the process killed as soon as it has been (SIGKILL)
//
// strace(1) can inject too, but counts per process and hits the Nth call of every one of them.
//
// What is tested is the launcher and not what it starts: a process is let go as soon as it executes another program,
// the first one at its second execve(2), its first being the launcher itself.
//
// REPORT is lines of fields with tabs between them:
//
//   call ROLE NUMBER OCCURRENCE ARGUMENT...   six of them, a string in place of a pointer to one
//   fired                                     the call was met
//   hung ROLE NUMBER                          what a process waited in when the time was up
//   left PID COMMAND                          a process that outlived the first one
//   status STATUS                             the first process's, as wait(2) gives it; none if it had to be killed
//
// All that the command leaves behind becomes a child of this process, a subreaper, and is ended before it exits.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "which register holds the number of a call is known here for x86-64 only"
#endif

enum { most_processes = 1024, most_calls = 600, grace_seconds = 2 };

struct process {
    pid_t pid;
    char role[64];
    int children;
    int is_launcher;  // executes the launcher, or came from what does
    int is_traced;
    int is_failing;  // between the entry of the call and its exit
    long in_call;
    unsigned seen[most_calls];
};

static struct process processes[most_processes];
static int process_count;
static pid_t early[most_processes];  // stopped before the event of their parent's that tells whose they are
static int early_count;
static FILE *report;
static volatile sig_atomic_t time_is_up;

static void on_alarm(int signal) {
    (void)signal;
    time_is_up = 1;
}

// Again and again: one that comes just before waitpid(2) would be lost.
static void set_alarm(int seconds) {
    time_is_up = 0;
    const struct itimerval timer = {.it_value = {seconds, 0}, .it_interval = {0, 100000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static struct process *traced(pid_t pid) {
    for (int i = process_count - 1; i >= 0; i--)
        if (processes[i].pid == pid && processes[i].is_traced) return &processes[i];
    return NULL;
}

static void add(pid_t pid, struct process *parent) {
    if (process_count == most_processes) {
        fputs("tracer: too many processes\n", stderr);
        exit(2);
    }
    struct process *process = &processes[process_count++];
    *process = (struct process){.pid = pid, .is_traced = 1, .is_launcher = parent != NULL};
    if (parent)
        snprintf(process->role, sizeof process->role, "%.50s.%d", parent->role, ++parent->children);
    else
        strcpy(process->role, "0");
}

// The argument as the text it points to, where that looks like one, else as a number.
static void print_argument(pid_t pid, uint64_t value) {
    char text[100];
    // Not across the end of a page: the next one may not be there.
    size_t size = 4096 - (value & 4095);
    if (size > sizeof text) size = sizeof text;
    struct iovec own = {text, size}, its = {(void *)value, size};
    const ssize_t count = value < 65536 ? -1 : process_vm_readv(pid, &own, 1, &its, 1, 0);
    ssize_t length = 0;
    while (length < count && text[length] >= ' ' && text[length] < 127) length++;
    if (length > 0 && (length >= 3 || (length < count && text[length] == 0)))
        fprintf(report, "\t%.*s", (int)length, text);
    else
        fprintf(report, "\t%ld", (long)value);
}

static void record(const struct process *process, const struct __ptrace_syscall_info *info) {
    const long number = info->entry.nr;
    fprintf(report, "call\t%s\t%ld\t%u", process->role, number, process->seen[number]);
    for (int i = 0; i < 6; i++) print_argument(process->pid, info->entry.args[i]);
    fputc('\n', report);
}

struct fault {
    const char *role, *how;
    long number;
    unsigned occurrence;
    int error;
};

static void at_call(struct process *process, const struct fault *fault) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, process->pid, sizeof info, &info) <= 0) return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && process->is_launcher) {
        const long number = process->in_call = info.entry.nr;
        if (number < 0 || number >= most_calls) return;
        const unsigned occurrence = ++process->seen[number];
        if (fault->number < 0) record(process, &info);
        if (number != fault->number || occurrence != fault->occurrence || strcmp(process->role, fault->role)) return;
        fputs("fired\n", report);
        process->is_failing = 1;
        if (strchr(fault->how, 's'))
            ptrace(PTRACE_POKEUSER, process->pid, offsetof(struct user_regs_struct, orig_rax), -1L);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        process->in_call = -1;
        if (!process->is_failing) return;
        process->is_failing = 0;
        if (strchr(fault->how, 'k'))
            kill(process->pid, SIGKILL);
        else
            ptrace(PTRACE_POKEUSER, process->pid, offsetof(struct user_regs_struct, rax), (long)-fault->error);
    }
}

// What a traced process stopped for; it goes on afterwards.
static void at_stop(pid_t pid, int status, const struct fault *fault) {
    struct process *process = traced(pid);
    if (!process) {
        if (early_count < most_processes) early[early_count++] = pid;
        return;
    }
    int signal = WSTOPSIG(status);
    switch (status >> 16) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE: {
        unsigned long child = 0;
        ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
        add((pid_t)child, process);
        for (int i = 0; i < early_count; i++)
            if (early[i] == (pid_t)child) {
                ptrace(PTRACE_SYSCALL, child, 0, 0);
                early[i] = 0;
            }
        signal = 0;
        break;
    }
    case PTRACE_EVENT_EXEC:
        if (process->is_launcher) {
            process->is_traced = 0;
            ptrace(PTRACE_DETACH, pid, 0, 0);
            return;
        }
        process->is_launcher = 1;
        signal = 0;
        break;
    case PTRACE_EVENT_STOP:  // a group stop, or the first one of a new child
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
            ptrace(PTRACE_LISTEN, pid, 0, 0);
            return;
        }
        signal = 0;
        break;
    default:
        if (signal == (SIGTRAP | 0x80)) {
            at_call(process, fault);
            signal = 0;
        }
    }
    ptrace(PTRACE_SYSCALL, pid, 0, signal);
}

// For each child, whether started here or inherited from one that ended.
static int each_child(void (*visit)(pid_t)) {
    int count = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *children = fopen(path, "re");
    if (!children) {
        perror("tracer: children");
        exit(2);
    }
    for (int pid; fscanf(children, "%d", &pid) == 1; count++) visit(pid);
    fclose(children);
    return count;
}

static void report_left(pid_t pid) {
    char path[64], command[200];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    FILE *file = fopen(path, "re");
    const size_t length = file ? fread(command, 1, sizeof command, file) : 0;
    if (file) fclose(file);
    for (size_t i = 0; i < length; i++)
        if (command[i] < ' ' || command[i] > '~') command[i] = ' ';
    fprintf(report, "left\t%d\t%.*s\n", pid, (int)length, command);
}

static void end(pid_t pid) { kill(pid, SIGKILL); }

// Ends all of them, and what becomes ours when they end.
static void end_children(void) {
    for (int i = 0; i < process_count; i++)
        if (processes[i].is_traced) end(processes[i].pid);
    set_alarm(5);
    while (!time_is_up) {
        each_child(end);
        if (waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD) return;
    }
}

static pid_t start(char **argv) {
    const uid_t uid = atoi(argv[1]);
    const gid_t gid = atoi(argv[2]);
    const pid_t pid = fork();
    if (pid != 0) return pid;
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) _exit(126);
    raise(SIGSTOP);
    execvp(argv[11], argv + 11);
    _exit(126);
}

int main(int argc, char **argv) {
    if (argc < 12) return 2;
    const struct fault fault = {
        .role = argv[5], .number = atol(argv[6]), .occurrence = atoi(argv[7]), .error = atoi(argv[8]), .how = argv[9]};
    report = fopen(argv[4], "we");
    if (!report || prctl(PR_SET_CHILD_SUBREAPER, 1)) return 2;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);

    const pid_t first = start(argv);
    int status;
    if (first < 0 || waitpid(first, &status, WUNTRACED) != first) return 2;
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (!strchr(fault.how, 'c')) options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    if (ptrace(PTRACE_SEIZE, first, 0, options)) return 2;
    add(first, NULL);
    kill(first, SIGCONT);

    set_alarm(atoi(argv[3]));
    int has_ended = 0, first_status = 0;
    while (!time_is_up) {
        const pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) break;
        if (WIFSTOPPED(status)) {
            at_stop(pid, status, &fault);
            continue;
        }
        struct process *process = traced(pid);
        if (process) process->is_traced = 0;
        if (pid == first) {
            has_ended = 1;
            first_status = status;
            set_alarm(grace_seconds);
        }
    }
    if (has_ended) {
        fprintf(report, "status\t%d\n", first_status);
        each_child(report_left);
    } else {
        for (int i = 0; i < process_count; i++)
            if (processes[i].is_traced) fprintf(report, "hung\t%s\t%ld\n", processes[i].role, processes[i].in_call);
    }
    end_children();
    return fclose(report) ? 2 : 0;
}
