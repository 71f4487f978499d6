// SPDX-License-Identifier: Apache-2.0

#include "include/parts.h"

#include <string.h>

#define strerror musl_strerror
#include "../../Sources/CMusl/strerror.c"
