// SPDX-License-Identifier: Apache-2.0
//
// What pid 1 does when the command has started. See pidone.c.
#pragma once

#include "stub.h"

/// Does not return.
void nsrun_be_pid_one(struct nsrun_pid_one *one) __attribute__((noreturn));
