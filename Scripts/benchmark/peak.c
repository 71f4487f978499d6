// SPDX-License-Identifier: Apache-2.0
//
// Runs COMMAND and prints, in KiB, the peak memory of the largest process of it and what it waited
// for. In C because the kernel counts a process's memory from its fork on: forked from an
// interpreter, every launcher would seem as large as the interpreter.

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2)
        return 125;
    struct rusage usage;
    int status;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0)
        return 125;
    printf("%ld\n", usage.ru_maxrss);
    return 0;
}
