#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command in a source directory that it may write to, without a network and without a home:
#   build.sh DIRECTORY COMMAND...
directory=$1
shift
exec "${BWRAP:-bwrap}" \
    --unshare-all \
    --die-with-parent \
    --new-session \
    --ro-bind /usr /usr \
    --symlink usr/bin /bin \
    --symlink usr/lib /lib \
    --symlink usr/lib64 /lib64 \
    --ro-bind-try /etc/alternatives /etc/alternatives \
    --proc /proc \
    --dev /dev \
    --perms 1777 --tmpfs /tmp \
    --bind "$directory" /build \
    --chdir /build \
    --clearenv \
    --setenv PATH /usr/bin \
    --setenv HOME /nonexistent \
    --setenv SOURCE_DATE_EPOCH 0 \
    "$@"
