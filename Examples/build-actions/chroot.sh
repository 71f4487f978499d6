#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# chroot.sh bare|proc ROOT TMPDIR COMMAND...: runs a command chrooted into an input root, as build
# tools do: in /work, with TMPDIR at /tmp and device nodes in /dev, without or with a /proc. Needs
# namespaces of its own: see run.sh.
set -euo pipefail
proc=$1 root=$2 temporary=$3
shift 3

mkdir -p "$root/dev" "$root/proc" "$root/tmp"
mount --bind "$temporary" "$root/tmp"
for device in full null random tty urandom zero; do
    # An ordinary user cannot make device nodes, but bind the host's over a file.
    : >>"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
[[ $proc == bare ]] || mount -t proc proc "$root/proc"
exec unshare --root="$root" --wd=/work env -i "$@"
