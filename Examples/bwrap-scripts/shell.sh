#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A shell with the host's programs, read-only, and an empty home.
exec "${BWRAP:-bwrap}" \
    --ro-bind /usr /usr \
    --symlink usr/bin /bin \
    --symlink usr/lib /lib \
    --symlink usr/lib64 /lib64 \
    --ro-bind /etc/passwd /etc/passwd \
    --ro-bind /etc/group /etc/group \
    --proc /proc \
    --dev /dev \
    --tmpfs /tmp \
    --tmpfs "$HOME" \
    --chdir "$HOME" \
    --unshare-pid \
    --unshare-ipc \
    --die-with-parent \
    --setenv PS1 'sandbox$ ' \
    /bin/sh "$@"
