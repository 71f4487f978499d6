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

// pipe2(2) with O_CLOEXEC.
int nsrun_rootfs_pipe(int ends[2]);

// lseek(2) with SEEK_DATA and SEEK_HOLE.
off_t nsrun_rootfs_next_data(int fd, off_t from);
off_t nsrun_rootfs_next_hole(int fd, off_t from);

// Makes SIGINT, SIGTERM and SIGHUP set a flag (and interrupt system calls) instead of ending the
// process. A signal that is already ignored, as under nohup(1), stays ignored.
void nsrun_rootfs_catch_signals(void);

// The last signal caught, or 0.
int nsrun_rootfs_pending_signal(void);
// Where that stands, for whoever looks often.
const volatile int *nsrun_rootfs_pending(void);

// Gives up on the flag: ends the process by `signal`, so that the caller's caller sees the truth.
void nsrun_rootfs_die_of(int signal);

// SHA-256 (FIPS 180-4).
struct nsrun_rootfs_sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};
void nsrun_rootfs_sha256_init(struct nsrun_rootfs_sha256 *hash);
void nsrun_rootfs_sha256_update(struct nsrun_rootfs_sha256 *hash, const void *data, size_t size);
void nsrun_rootfs_sha256_final(struct nsrun_rootfs_sha256 *hash, uint8_t digest[32]);

#endif
