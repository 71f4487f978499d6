// SPDX-License-Identifier: Apache-2.0
//
// The stub: the small program that a process of a run is from the moment that nsrun has done its part until the
// command has its place, and that a pid 1 is which the command may look into. See stub.c for why.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum nsrun_stub_kind {
    NSRUN_STUB_COMMAND,   ///< starts the command
    NSRUN_STUB_PID_ONE,   ///< is pid 1
};

/// Pid 1, as it goes on when the command has started. See pidone.c.
struct nsrun_pid_one {
    pid_t command;
    int channel;      ///< to the launcher, -1 when that is gone and need not be followed
    int life;         ///< readable when a process ends with which the run is to end, -1 for none
    int signals;      ///< signalfd(2) of all
    int ready;        ///< ends when the command has started, -1 where nobody is to be told
    bool is_answered; ///< then the launcher is waited for
    bool lingers;     ///< stays until the last process of its namespace ends
    bool follows;     ///< ends with the launcher
    bool own_group;   ///< launcher and run are of different process groups
    bool is_quiet;    ///< behind a filter: makes no calls but wait4(2), write(2) and exit_group(2)
    int turn;         ///< where the command waits for a byte before it may start, -1 where it does not
    int64_t due;      ///< when the command's time is over, and after that when it is killed; CLOCK_MONOTONIC, 0 for never
    int64_t kill_after; ///< the nanoseconds between the two, negative for never
    bool timed_out;   ///< the first of them has been
    bool ended;       ///< the command has
    int exit_status;  ///< and this is how, as a shell has it
    uint32_t continued;   ///< how many SIGCONT the launcher has handed on
    uint64_t early;   ///< a bit for each signal that the launcher handed on before there was a command
    int64_t direct[65];   ///< when a signal last came to us directly, as one of the group; CLOCK_MONOTONIC
};

/// What the stub is to do. Follows the ELF headers of its image; places are counted in bytes from the image's beginning.
struct nsrun_orders {
    uint32_t kind;         ///< enum nsrun_stub_kind
    int32_t own;           ///< the image's descriptor: open when the stub is started as it should be, and then closed
    int32_t channel;       ///< where a failure is reported, -1 for standard error
    int32_t ready;         ///< closed when the command starts, -1 for none
    uint32_t announcement; ///< that the command is about to start, a struct nsrun_report_head: the launcher is told, and
                           ///< waited for; 0 for none
    uint32_t path;         ///< the program, NUL-terminated
    uint32_t shell;        ///< what runs it where the kernel does not know what it is, 0 for none
    uint32_t filters;      ///< of seccomp(2), each a struct nsrun_stub_filter
    uint32_t filter_count;
    uint32_t report;       ///< of a failure, but for its errno: a struct nsrun_report
    uint32_t refusal;      ///< for standard error, when the stub is started by what it has started
    uint32_t words;        ///< for standard error: what failed, NUL-terminated
    uint32_t filter_words; ///< the same where it was a filter
    uint32_t reasons;      ///< and why: `struct nsrun_stub_reason`s
    int32_t exit_status;   ///< of a failure
    struct nsrun_pid_one one;
};

struct nsrun_stub_filter {
    int32_t step;
    uint32_t length;   ///< of instructions, which follow
};

struct nsrun_stub_reason {
    int32_t error;     ///< 0 for the last, which stands for all others
    char text[44];
};

// Code that goes into the image uses nothing outside of it: it calls no functions but such ones, has no data, and
// no compiler or sanitizer adds any.
#define NSRUN_STUB_ALONE                                                                                 \
    no_stack_protector, no_profile_instrument_function, disable_sanitizer_instrumentation,               \
        no_sanitize("address", "undefined", "thread", "memory", "coverage", "function"), no_builtin
#define NSRUN_STUB                                                                                       \
    __attribute__((section("nsrun_stub"), used, noinline, visibility("hidden"), NSRUN_STUB_ALONE))
#define NSRUN_STUB_INLINE static inline __attribute__((always_inline, NSRUN_STUB_ALONE))

/// A system call as the kernel has it: the result, or a negative errno.
NSRUN_STUB_INLINE long nsrun_stub_call(long number, long a, long b, long c, long d, long e) {
#if defined __x86_64__
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory", "cc");
    return x0;
#endif
}
