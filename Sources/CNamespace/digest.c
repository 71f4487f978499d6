// SPDX-License-Identifier: Apache-2.0

#include "digest.h"

#include <string.h>

#include "include/nsrun.h"

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const unsigned char order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint32_t turn(uint32_t word, unsigned bits) { return word >> bits | word << (32 - bits); }

static void stir(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x, uint32_t y) {
    v[a] += v[b] + x;
    v[d] = turn(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = turn(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 7);
}

static void compress(struct nsrun_digest *digest, bool is_last) {
    uint32_t v[16], words[16];
    memcpy(v, digest->state, sizeof digest->state);
    memcpy(v + 8, initial, sizeof initial);
    memcpy(words, digest->block, sizeof words);   // nobody else's machine reads it
    v[12] ^= (uint32_t)digest->size;
    v[13] ^= (uint32_t)(digest->size >> 32);
    if (is_last)
        v[14] = ~v[14];
    for (unsigned round = 0; round < 10; round++) {
        const unsigned char *at = order[round];
        for (unsigned i = 0; i < 4; i++)
            stir(v, i, 4 + i, 8 + i, 12 + i, words[at[2 * i]], words[at[2 * i + 1]]);
        for (unsigned i = 0; i < 4; i++)
            stir(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, words[at[8 + 2 * i]], words[at[9 + 2 * i]]);
    }
    for (unsigned i = 0; i < 8; i++)
        digest->state[i] ^= v[i] ^ v[i + 8];
}

void nsrun_digest_begin(struct nsrun_digest *digest) {
    memset(digest, 0, sizeof *digest);
    memcpy(digest->state, initial, sizeof initial);
    digest->state[0] ^= 0x01010000 ^ NSRUN_DIGEST;
}

static void add(struct nsrun_digest *digest, const void *data, size_t size) {
    for (const unsigned char *next = data; size > 0;) {
        // The last block is another one, so a full one waits until it is known not to be that.
        if (digest->filled == sizeof digest->block) {
            compress(digest, false);
            digest->filled = 0;
        }
        const size_t room = sizeof digest->block - digest->filled, count = size < room ? size : room;
        memcpy(digest->block + digest->filled, next, count);
        digest->filled += (unsigned)count;
        digest->size += count;
        next += count;
        size -= count;
    }
}

static void add_number(struct nsrun_digest *digest, uint64_t number) { add(digest, &number, sizeof number); }

void nsrun_mix(struct nsrun_digest *digest, const void *data, size_t size) {
    add_number(digest, size);
    add(digest, data, size);
}

void nsrun_mix_text(struct nsrun_digest *digest, const char *text) {
    if (text == NULL)
        add_number(digest, UINT64_MAX);
    else
        nsrun_mix(digest, text, strlen(text));
}

void nsrun_mix_list(struct nsrun_digest *digest, const char *const *list) {
    size_t count = 0;
    while (list != NULL && list[count] != NULL)
        count++;
    add_number(digest, count);
    for (size_t i = 0; i < count; i++)
        nsrun_mix_text(digest, list[i]);
}

void nsrun_mix_steps(struct nsrun_digest *digest, const struct nsrun_step *step, const struct nsrun_step *end,
                     bool incidental_too) {
    for (; step < end; step++) {
        if ((step->flags & NSRUN_INCIDENTAL) && !incidental_too)
            continue;
        const uint64_t numbers[] = {step->op, step->flags, (uint64_t)step->fd, step->mode,
                                    step->parent_mode, step->value, step->value2};
        nsrun_mix(digest, numbers, sizeof numbers);
        nsrun_mix_text(digest, step->source);
        nsrun_mix_text(digest, step->target);
        if (step->length > 0)
            nsrun_mix(digest, step->data, step->length);
        else
            nsrun_mix_text(digest, step->data);
        nsrun_mix_list(digest, step->list);
        nsrun_mix_list(digest, step->list2);
    }
}

void nsrun_digest_get(const struct nsrun_digest *digest, unsigned char bytes[NSRUN_DIGEST]) {
    struct nsrun_digest last = *digest;
    memset(last.block + last.filled, 0, sizeof last.block - last.filled);
    compress(&last, true);
    memcpy(bytes, last.state, NSRUN_DIGEST);
}

uint64_t nsrun_digest_number(const struct nsrun_digest *digest) {
    unsigned char bytes[NSRUN_DIGEST];
    uint64_t number;
    nsrun_digest_get(digest, bytes);
    memcpy(&number, bytes, sizeof number);
    return number;
}
