// SPDX-License-Identifier: Apache-2.0
//
// What nsrun has beside musl, under names that leave the C library's own in place.
#pragma once

#include <stddef.h>

void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *memory, size_t size);
void heap_free(void *memory);
void *heap_aligned_alloc(size_t alignment, size_t size);
int heap_posix_memalign(void **memory, size_t alignment, size_t size);

char *musl_strerror(int number);
