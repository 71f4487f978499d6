// SPDX-License-Identifier: Apache-2.0
//
// Fails, with a status of its own and words on both outputs.
#include <stdio.h>

int main(void)
{
    puts("this is standard output");
    fputs("this is standard error\n", stderr);
    return 3;
}
