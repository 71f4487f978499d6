// SPDX-License-Identifier: Apache-2.0
//
// Leaves a daemon behind, which holds a lock and the test's output: who waits for the end of that
// output would wait for ever.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char ready = 0;
    if (pipe(ends) != 0)
        return 1;
    if (fork() == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        int lock = open("daemon.lock", O_WRONLY | O_CREAT, 0666);
        ready = flock(lock, LOCK_EX | LOCK_NB) == 0;
        if (write(ends[1], &ready, 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    return read(ends[0], &ready, 1) == 1 && ready ? 0 : 1;
}
