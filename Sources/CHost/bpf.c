// SPDX-License-Identifier: Apache-2.0
//
// What a seccomp program would answer, found by running it here (seccomp(2), in the classic BPF of bpf(4)).

#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "include/host.h"
#include "syscalls.h"

#if defined __x86_64__
enum { MACHINE = AUDIT_ARCH_X86_64 };
#elif defined __aarch64__
enum { MACHINE = AUDIT_ARCH_AARCH64 };
#endif

static uint32_t calculate(unsigned operation, uint32_t a, uint32_t b) {
    switch (operation) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return b == 0 ? 0 : a / b;
    case BPF_OR:
        return a | b;
    case BPF_AND:
        return a & b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return b < 32 ? a << b : 0;
    case BPF_RSH:
        return b < 32 ? a >> b : 0;
    default:   // BPF_NEG
        return -a;
    }
}

static bool compare(unsigned operation, uint32_t a, uint32_t b) {
    return operation == BPF_JEQ   ? a == b
           : operation == BPF_JGT ? a > b
           : operation == BPF_JGE ? a >= b
                                  : (a & b) != 0;
}

/// The answer to a call, whatever its arguments; where that hangs on them, or the program is none: to kill.
static uint32_t answer(const struct sock_filter *program, size_t count, uint32_t call) {
    uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
    // Jumps lead forward alone, so it comes to an end.
    for (size_t at = 0; at < count; at++) {
        const struct sock_filter i = program[at];
        const uint32_t operand = BPF_SRC(i.code) == BPF_X ? x : i.k;
        switch (BPF_CLASS(i.code)) {
        case BPF_LD:
        case BPF_LDX: {
            uint32_t value;
            if (BPF_MODE(i.code) == BPF_ABS && i.k == offsetof(struct seccomp_data, nr))
                value = call;
            else if (BPF_MODE(i.code) == BPF_ABS && i.k == offsetof(struct seccomp_data, arch))
                value = MACHINE;
            else if (BPF_MODE(i.code) == BPF_IMM)
                value = i.k;
            else if (BPF_MODE(i.code) == BPF_LEN)
                value = sizeof(struct seccomp_data);
            else if (BPF_MODE(i.code) == BPF_MEM && i.k < BPF_MEMWORDS)
                value = memory[i.k];
            else
                return SECCOMP_RET_KILL_PROCESS;
            *(BPF_CLASS(i.code) == BPF_LD ? &a : &x) = value;
            break;
        }
        case BPF_ST:
        case BPF_STX:
            if (i.k >= BPF_MEMWORDS)
                return SECCOMP_RET_KILL_PROCESS;
            memory[i.k] = BPF_CLASS(i.code) == BPF_ST ? a : x;
            break;
        case BPF_ALU:
            a = calculate(BPF_OP(i.code), a, operand);
            break;
        case BPF_JMP:
            at += BPF_OP(i.code) == BPF_JA ? i.k : compare(BPF_OP(i.code), a, operand) ? i.jt : i.jf;
            break;
        case BPF_RET:
            return BPF_RVAL(i.code) == BPF_A ? a : i.k;
        default:
            *(BPF_MISCOP(i.code) == BPF_TAX ? &x : &a) = BPF_MISCOP(i.code) == BPF_TAX ? a : x;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

bool nsrun_filter_allows_pid_one(const void *program, size_t length) {
    static const int calls[] = {SYS_wait4,  SYS_ppoll, SYS_read,          SYS_recvfrom,   SYS_sendto,
                                SYS_kill,   SYS_close, SYS_clock_gettime, SYS_exit_group};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const uint32_t action = answer(program, length / sizeof(struct sock_filter), (uint32_t)calls[i]);
        if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW
            && (action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_LOG)
            return false;
    }
    return true;
}
