#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A profile as for a browser: a home of its own that stays, the network, and of the session's sockets
# D-Bus alone. What is missing on this machine is passed over.
#   browser.sh PROFILE COMMAND...
profile=$1
shift
exec "${BWRAP:-bwrap}" \
    --ro-bind /usr /usr \
    --symlink usr/bin /bin \
    --symlink usr/lib /lib \
    --symlink usr/lib64 /lib64 \
    --ro-bind-try /etc/fonts /etc/fonts \
    --ro-bind-try /etc/ssl /etc/ssl \
    --ro-bind-try /etc/resolv.conf /etc/resolv.conf \
    --ro-bind-try /etc/nsswitch.conf /etc/nsswitch.conf \
    --ro-bind-try /sys/dev/char /sys/dev/char \
    --dev-bind-try /dev/dri /dev/dri \
    --proc /proc \
    --dev /dev \
    --tmpfs /tmp \
    --perms 0700 --dir "$XDG_RUNTIME_DIR" \
    --ro-bind "$XDG_RUNTIME_DIR/bus" "$XDG_RUNTIME_DIR/bus" \
    --bind "$profile" "$HOME" \
    --unshare-user-try --unshare-pid --unshare-uts --unshare-cgroup-try --unshare-ipc \
    --hostname browser \
    --die-with-parent \
    --unsetenv SSH_AUTH_SOCK \
    --setenv DBUS_SESSION_BUS_ADDRESS "unix:path=$XDG_RUNTIME_DIR/bus" \
    "$@"
