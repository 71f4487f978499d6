// SPDX-License-Identifier: Apache-2.0

#define nsrun_compare_libraries checked_compare_libraries
#define nsrun_highest_glibc checked_highest_glibc
#define nsrun_linker_cache checked_linker_cache
#define nsrun_merge_caches checked_merge_caches
#define nsrun_merged_size checked_merged_size
#define nsrun_need_glibc checked_need_glibc
#include "../../Sources/CNamespace/libraries.c"
