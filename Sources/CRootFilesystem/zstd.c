// SPDX-License-Identifier: Apache-2.0

#include "nsrun_rootfs.h"

#include <dlfcn.h>
#include <stdlib.h>

// What is used of zstd.h, whose interface is stable since 1.4. libarchive has the library loaded already, but not
// what it takes to build against it.
struct in_buffer {
  const void *bytes;
  size_t size, position;
};
struct out_buffer {
  void *bytes;
  size_t size, position;
};
enum { parameter_window_log_max = 100 };

struct nsrun_rootfs_zstd {
  void *library;
  void *stream;
  size_t (*release)(void *);
  size_t (*decompress)(void *, struct out_buffer *, struct in_buffer *);
  unsigned (*is_error)(size_t);
  const char *(*error_name)(size_t);
};

struct nsrun_rootfs_zstd *nsrun_rootfs_zstd_open(int window_log) {
  struct nsrun_rootfs_zstd *zstd = calloc(1, sizeof *zstd);
  if (!zstd) return NULL;
  zstd->library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
  if (zstd->library) {
    void *(*create)(void) = (void *(*)(void))dlsym(zstd->library, "ZSTD_createDStream");
    size_t (*set)(void *, int, int) =
        (size_t (*)(void *, int, int))dlsym(zstd->library, "ZSTD_DCtx_setParameter");
    zstd->release = (size_t (*)(void *))dlsym(zstd->library, "ZSTD_freeDStream");
    zstd->decompress = (size_t (*)(void *, struct out_buffer *, struct in_buffer *))dlsym(
        zstd->library, "ZSTD_decompressStream");
    zstd->is_error = (unsigned (*)(size_t))dlsym(zstd->library, "ZSTD_isError");
    zstd->error_name = (const char *(*)(size_t))dlsym(zstd->library, "ZSTD_getErrorName");
    if (create && set && zstd->release && zstd->decompress && zstd->is_error && zstd->error_name)
      zstd->stream = create();
    if (zstd->stream && !zstd->is_error(set(zstd->stream, parameter_window_log_max, window_log)))
      return zstd;
  }
  nsrun_rootfs_zstd_close(zstd);
  return NULL;
}

const char *nsrun_rootfs_zstd_step(struct nsrun_rootfs_zstd *zstd, const void *in, size_t in_size,
                                   size_t *used, void *out, size_t out_size, size_t *made,
                                   int *inside) {
  struct in_buffer source = {in, in_size, 0};
  struct out_buffer target = {out, out_size, 0};
  size_t result = zstd->decompress(zstd->stream, &target, &source);
  *used = source.position;
  *made = target.position;
  if (zstd->is_error(result)) return zstd->error_name(result);
  *inside = result != 0;
  return NULL;
}

void nsrun_rootfs_zstd_close(struct nsrun_rootfs_zstd *zstd) {
  if (zstd->stream) zstd->release(zstd->stream);
  if (zstd->library) dlclose(zstd->library);
  free(zstd);
}
