// SPDX-License-Identifier: Apache-2.0
//
// What makes a copy of nsrun the program of a pack: a mark in its own file, written by `nsrun-rootfs pack`.
#pragma once

#include <stdint.h>

enum nsrun_pack_kind {
    NSRUN_PACK_NONE,      ///< nsrun itself
    NSRUN_PACK_FOLDER,    ///< `bin/NAME` of a folder with a root
    NSRUN_PACK_ARCHIVE,   ///< a file that has the folder in itself, as a compressed tar
};

enum { NSRUN_PACK_MAGIC = 24, NSRUN_PACK_HASH = 40 };

/// In the file as it lies here, numbers with the least byte first.
struct nsrun_pack_mark {
    char magic[NSRUN_PACK_MAGIC];
    uint64_t kind;
    uint64_t offset;               ///< where in the file the archive begins
    char hash[NSRUN_PACK_HASH];    ///< of the archive: names the folder in the cache
};

uint64_t nsrun_pack_own_kind(void);
uint64_t nsrun_pack_own_offset(void);
const char *nsrun_pack_own_hash(void);

/// Unpacks the archive that begins at an offset of a file, below an open directory, which is empty. Returns 0 or a
/// negative errno, with the cause in words where libarchive tells it.
int nsrun_pack_unfold(const char *file, uint64_t offset, int directory, const char **cause);

/// Opens a file of an open directory, made where it is missing, and waits for its lock (flock(2)). A descriptor or a
/// negative errno.
int nsrun_pack_lock(int directory, const char *name);
