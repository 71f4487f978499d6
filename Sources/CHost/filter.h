// SPDX-License-Identifier: Apache-2.0
//
// What the makers of filters share.
#pragma once

#include <seccomp.h>
#include <stddef.h>
#include <sys/types.h>

/// The program of a filter: its length in bytes, or a negative errno.
ssize_t nsrun_export_filter(scmp_filter_ctx filter, char *program, size_t capacity);
/// Adds what `--seccomp-profile default` denies (profile.c). 0 or a negative errno.
int nsrun_default_profile(scmp_filter_ctx filter);
