// SPDX-License-Identifier: Apache-2.0
//
// Never ends, and holds a lock.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int main(void)
{
    int lock = open("hangs.lock", O_WRONLY | O_CREAT, 0666);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        return 1;
    for (;;)
        pause();
}
