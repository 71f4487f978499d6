// SPDX-License-Identifier: Apache-2.0
//
// Listens on a fixed port of lo. Two of these run at once, in the same directory, and each ends when
// it has seen that the other listens, too.
#include <arpa/inet.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(8080),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0) {
        perror("port 8080");
        return 1;
    }
    char sign[] = "listens-XXXXXX";
    if (mkstemp(sign) < 0) {
        perror("the source tree");
        return 1;
    }
    for (int tries = 0; tries < 1000; tries++) {
        glob_t signs;
        if (glob("listens-*", 0, NULL, &signs) == 0 && signs.gl_pathc == 2)
            return 0;
        usleep(10000);
    }
    fputs("the other does not listen\n", stderr);
    return 1;
}
