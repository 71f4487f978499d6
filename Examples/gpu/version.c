// SPDX-License-Identifier: Apache-2.0
//
// Stands for a program of CUDA: it is linked to the driver's library, and asks it for its version.

#include <stdio.h>

int cuDriverGetVersion(void);

int main(void) {
    printf("the driver says %d\n", cuDriverGetVersion());
    return 0;
}
