// SPDX-License-Identifier: Apache-2.0
//
// What RootFilesystemKit needs from the kernel and glibc does not give to Swift.
// Every function sets errno and returns -1 on failure, like the call it wraps.
#ifndef NSRUN_ROOTFS_H
#define NSRUN_ROOTFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
// fgetxattr(2) and its kin, which the Glibc module leaves out.
#include <sys/xattr.h>

extern const int nsrun_rootfs_o_path;

// openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS: symbolic links, absolute ones too, are
// followed as if dirfd were "/". Creates nothing. EAGAIN (a rename raced with a "..") is retried a few times.
int nsrun_rootfs_open_in_root(int dirfd, const char *path, int flags);

// renameat2(2) with RENAME_EXCHANGE: two entries of a directory trade places in one step.
int nsrun_rootfs_exchange(int directory, const char *a, const char *b);

// ioctl_ficlone(2): `to` shares the contents of `from` until either is changed.
int nsrun_rootfs_clone(int to, int from);

// pipe2(2) with O_CLOEXEC.
int nsrun_rootfs_pipe(int ends[2]);

// lseek(2) with SEEK_DATA and SEEK_HOLE.
off_t nsrun_rootfs_next_data(int fd, off_t from);
off_t nsrun_rootfs_next_hole(int fd, off_t from);

// Makes SIGINT, SIGTERM and SIGHUP set a flag (and interrupt system calls) instead of ending the
// process. A signal that is already ignored, as under nohup(1), stays ignored.
void nsrun_rootfs_catch_signals(void);

// A child that opens files as root of a user namespace of its own, in which the caller's uid and gid are root's: so it
// has power over what is the caller's, whatever the mode. With `is_mapped_by_caller` the caller gives it its ids
// (newuidmap(1)) before asking anything. Returns a socket.
int nsrun_rootfs_reader_start(int is_mapped_by_caller, pid_t *child);
// openat(2) by that child, of one name in an open directory.
int nsrun_rootfs_reader_open(int reader, int directory, const char *name, int flags);
void nsrun_rootfs_reader_stop(int reader, pid_t child);

// The last signal caught, or 0.
int nsrun_rootfs_pending_signal(void);
// Where that stands, for whoever looks often.
const volatile int *nsrun_rootfs_pending(void);

// Gives up on the flag: ends the process by `signal`, so that the caller's caller sees the truth.
void nsrun_rootfs_die_of(int signal);

// SHA-512 and, with other constants and the first 48 bytes of the digest, SHA-384 (FIPS 180-4).
struct nsrun_rootfs_sha512 {
  uint64_t state[8];
  uint64_t length;
  uint8_t block[128];
};
void nsrun_rootfs_sha512_init(struct nsrun_rootfs_sha512 *hash, int is_384);
void nsrun_rootfs_sha512_update(struct nsrun_rootfs_sha512 *hash, const void *data, size_t size);
void nsrun_rootfs_sha512_final(struct nsrun_rootfs_sha512 *hash, uint8_t digest[64]);

// libzstd as a stream, for windows up to 2^window_log bytes; NULL where the library is not there.
struct nsrun_rootfs_zstd;
struct nsrun_rootfs_zstd *nsrun_rootfs_zstd_open(int window_log);
// Uses up some input for some output. `inside` tells whether a frame is not at its end. Gives NULL, or what is wrong.
const char *nsrun_rootfs_zstd_step(struct nsrun_rootfs_zstd *zstd, const void *in, size_t in_size,
                                   size_t *used, void *out, size_t out_size, size_t *made,
                                   int *inside);
void nsrun_rootfs_zstd_close(struct nsrun_rootfs_zstd *zstd);

#endif
