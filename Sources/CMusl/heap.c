// SPDX-License-Identifier: Apache-2.0
//
// The heap of a program with one thread that asks for little and a millisecond later is gone, or waits.
//
// musl's own asks the kernel for each new size and gives back what is free: some forty calls and thirty page
// faults a launch. This one begins with a static block, keeps what is freed for the next of its size, and asks
// the kernel for more when the block is used up. Sizes are powers of two.

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/// Stands before each piece of memory.
struct piece {
    size_t capacity;
    struct piece *next;  // while it is free
};

enum { ALIGNMENT = sizeof(struct piece), BLOCK = 256 << 10 };

static _Alignas(ALIGNMENT) char first[BLOCK];
static char *unused = first, *end = first + BLOCK;
/// By the power of two that a piece holds at least.
static struct piece *freed[64];

/// A power of two that is at least the size, or 0 where there is none to be had.
static size_t capacity_for(size_t size) {
    if (size <= ALIGNMENT)
        return ALIGNMENT;
    return size > SIZE_MAX / 4 ? 0 : (size_t)1 << (64 - __builtin_clzl(size - 1));
}

static struct piece **list_of(size_t capacity) { return &freed[63 - __builtin_clzl(capacity)]; }

/// Memory that nobody had before.
static struct piece *take(size_t size) {
    if (size > (size_t)(end - unused)) {
        const size_t length = size > BLOCK ? size : BLOCK;
        char *block = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            return NULL;
        if (length > BLOCK)
            return (struct piece *)block;
        unused = block;
        end = block + BLOCK;
    }
    struct piece *piece = (struct piece *)unused;
    unused += size;
    return piece;
}

void *malloc(size_t size) {
    const size_t capacity = capacity_for(size);
    struct piece **list = list_of(capacity | 1), *piece = *list;
    if (capacity == 0)
        piece = NULL;
    else if (piece != NULL)
        *list = piece->next;
    else if ((piece = take(sizeof *piece + capacity)) != NULL)
        piece->capacity = capacity;
    if (piece == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    return piece + 1;
}

void free(void *memory) {
    if (memory == NULL)
        return;
    struct piece *piece = (struct piece *)memory - 1, **list = list_of(piece->capacity);
    piece->next = *list;
    *list = piece;
}

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    void *memory = malloc(total);
    return memory == NULL ? NULL : memset(memory, 0, total);
}

void *realloc(void *memory, size_t size) {
    const size_t capacity = memory == NULL ? 0 : ((struct piece *)memory - 1)->capacity;
    if (memory != NULL && size <= capacity)
        return memory;
    void *moved = malloc(size);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, capacity);
        free(memory);
    }
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (alignment <= ALIGNMENT)
        return malloc(size);
    char *memory = size > SIZE_MAX / 4 ? malloc(SIZE_MAX) : malloc(size + alignment);
    if (memory == NULL)
        return NULL;
    const size_t skipped = -(uintptr_t)memory & (alignment - 1);
    if (skipped > 0) {
        // What is skipped is lost. There is room in it: it is a multiple of ALIGNMENT.
        const size_t capacity = ((struct piece *)memory - 1)->capacity;
        memory += skipped;
        ((struct piece *)memory - 1)->capacity = capacity - skipped;
    }
    return memory;
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    *memory = aligned_alloc(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
