// SPDX-License-Identifier: Apache-2.0

#include "include/parts.h"

#include <stdlib.h>

#define malloc heap_malloc
#define calloc heap_calloc
#define realloc heap_realloc
#define free heap_free
#define aligned_alloc heap_aligned_alloc
#define posix_memalign heap_posix_memalign
#include "../../Sources/CMusl/heap.c"
