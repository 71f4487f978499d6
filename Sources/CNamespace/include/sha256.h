// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4).
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nsrun_sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void nsrun_sha256_begin(struct nsrun_sha256 *hash);
void nsrun_sha256_add(struct nsrun_sha256 *hash, const void *data, size_t size);
/// Nothing may be added afterwards.
void nsrun_sha256_end(struct nsrun_sha256 *hash, uint8_t digest[32]);
