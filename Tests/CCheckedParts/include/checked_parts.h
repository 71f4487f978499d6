// SPDX-License-Identifier: Apache-2.0
//
// Parsers of CNamespace once more, built so that undefined behaviour ends the process.
#pragma once

#include <stddef.h>

struct nsrun_step;

size_t checked_merge_caches(const struct nsrun_step *step, const char *own, size_t size,
                            char *made);
