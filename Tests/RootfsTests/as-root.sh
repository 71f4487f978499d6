#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What real root has and nobody else: a squashfs that the kernel itself mounts. Run by root, with the binary
# in NSRUN_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")

# A root with a shell and what it needs, and every place that the view mounts something on.
mkdir -p "$work"/root/{bin,dev,etc,proc,root,run,sys,tmp,var/tmp}
touch "$work"/root/etc/{passwd,group,hosts,resolv.conf}
for program in sh cat; do
    cp -L "/bin/$program" "$work/root/bin/"
    ldd "/bin/$program" | grep -o '/[^ ]*' | while read -r library; do
        install -D "$library" "$work/root$library"
    done
done
image=$work/root.squashfs
mksquashfs "$work/root" "$image" -quiet -no-progress >/dev/null

inside() { "$nsrun" --rootfs "$image" "$@"; }
# shellcheck disable=SC2016 # expanded inside
type='while read -r id up dev root at rest; do
    [ "$at" != / ] || { rest=${rest#*- }; echo "${rest%% *}"; }
done </proc/self/mountinfo'
backing() { cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -Fx "$image" || true; }

before=$(cut -d' ' -f5- /proc/self/mountinfo)
expect squashfs "the kernel mounts it" inside sh -c "$type"
expect squashfs "in place, too" inside --share-pid -- sh -c "$type"
expect new "a layer lies over it" inside --ephemeral -- sh -c 'echo new >/new; cat /new'
expect fuse.squashfuse "or not the kernel" inside --debug-opt force-squashfuse -- sh -c "$type"
expect "    mount the squashfs $image on / by a loop device  [--rootfs]" "--explain says so" \
    sh -c "'$nsrun' --rootfs '$image' --explain true | sed -n 's/^ *[0-9]*  \(mount the squashfs\)/    \1/p'"
expect "ok      squashfs files" "and the doctor" sh -c "'$nsrun' --doctor | grep squashfs"

# settle WANTED COMMAND...: waits until that is what the command prints.
settle() {
    local i
    for ((i = 0; i < 500; i++)); do
        [[ $("${@:2}") != "$1" ]] || return 0
        sleep 0.01
    done
}

# While it runs there is one device for it, and afterwards none, even if it was killed.
settle "" backing
mkfifo "$work/input"
exec 9<>"$work/input"
"$nsrun" --die-with-parent --rootfs "$image" -- sh -c 'echo ready; read -r line' \
    <"$work/input" >"$work/said" 9<&- &
run=$!
settle ready cat "$work/said"
expect "$image" "a device gives the image" backing
disown "$run"
kill -KILL "$run"
settle "" backing
expect "" "and is given up with the run" backing
expect "$before" "nothing stays mounted" cut -d' ' -f5- /proc/self/mountinfo

truncate -s 4096 "$work/bad"
dd if="$image" of="$work/bad" bs=96 count=1 conv=notrunc status=none
# The superblock of an image of this size, and nothing that it promises.
printf '\x60\0\0\0\0\0\0\0' | dd of="$work/bad" bs=1 seek=40 conv=notrunc status=none
expect "nsrun: cannot use the rootfs $work/bad: the kernel does not mount it: " "damage is told" \
    sh -c "'$nsrun' --rootfs '$work/bad' true 2>&1 | sed -n '1s/\(mount it: \).*/\1/p'"

echo "$passed checks passed as root"
