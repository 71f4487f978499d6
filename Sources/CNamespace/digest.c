// SPDX-License-Identifier: Apache-2.0

#include "digest.h"

#include <string.h>

#include "include/nsrun.h"

void nsrun_digest_begin(struct nsrun_digest *digest) { nsrun_sha256_begin(&digest->hash); }

static void add_number(struct nsrun_digest *digest, uint64_t number) {
    nsrun_sha256_add(&digest->hash, &number, sizeof number);
}

void nsrun_mix(struct nsrun_digest *digest, const void *data, size_t size) {
    add_number(digest, size);
    nsrun_sha256_add(&digest->hash, data, size);
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
    struct nsrun_sha256 last = digest->hash;
    uint8_t whole[32];
    nsrun_sha256_end(&last, whole);
    memcpy(bytes, whole, NSRUN_DIGEST);
}

uint64_t nsrun_digest_number(const struct nsrun_digest *digest) {
    unsigned char bytes[NSRUN_DIGEST];
    uint64_t number;
    nsrun_digest_get(digest, bytes);
    memcpy(&number, bytes, sizeof number);
    return number;
}
