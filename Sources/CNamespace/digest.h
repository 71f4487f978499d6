// SPDX-License-Identifier: Apache-2.0
//
// By what two set-ups are known to be the same: SHA-256, for nobody shall be able to make one that is taken for another.
// Everything is mixed in with its length before it, so that no two sequences are the same bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sha256.h"

struct nsrun_step;

struct nsrun_digest {
    struct nsrun_sha256 hash;
};

enum { NSRUN_DIGEST = 16 };   ///< bytes

void nsrun_digest_begin(struct nsrun_digest *digest);
void nsrun_mix(struct nsrun_digest *digest, const void *data, size_t size);
/// NULL is a text of its own.
void nsrun_mix_text(struct nsrun_digest *digest, const char *text);
/// Ends with NULL; NULL itself is an empty one.
void nsrun_mix_list(struct nsrun_digest *digest, const char *const *list);
/// Steps with all that they say; those that are incidental only where that is asked for.
void nsrun_mix_steps(struct nsrun_digest *digest, const struct nsrun_step *step, const struct nsrun_step *end,
                     bool incidental_too);
/// Of what was mixed in up to now; more can be.
void nsrun_digest_get(const struct nsrun_digest *digest, unsigned char bytes[NSRUN_DIGEST]);
/// The first bytes of that.
uint64_t nsrun_digest_number(const struct nsrun_digest *digest);
