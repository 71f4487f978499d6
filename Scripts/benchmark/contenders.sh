# SPDX-License-Identifier: Apache-2.0
# The launchers, each as an array that a command is appended to. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2034,SC2154

plain=()
floor=("$work/floor" "$root")
floor_in_place=("$work/floor" --in-place "$root")
nsrun=("$work/nsrun" --rootfs "$root")
nsrun_in_place=("$work/nsrun" --rootfs "$root" --share-pid)
nsrun_in_job=("$work/nsrun" --preset hpc --rootfs "$root" --)
nsrun_joining=("$work/nsrun" --preset hpc --rootfs "$root" --join)   # and a name, and --
unshare=(unshare --user --map-current-user --mount --pid --fork --mount-proc --root="$root")
ch_run=(ch-run "$root" --)
# floor.c and ch-run look the user up by name.
export USER=${USER:-$(id -un)}

# Bubblewrap with the mounts of nsrun's rootfs view. Two things it is spared: the accounts are
# written once, outside the race, and /etc/hosts is bound only where the rootfs has a place for it.
for accounts in passwd group; do
    { getent "$accounts" "$USER" || true; cat "$root/etc/$accounts"; } >"$work/$accounts"
done
bubblewrap=(
    bwrap --ro-bind "$root" / --ro-bind /sys /sys
    --dev /dev --perms 1777 --tmpfs /dev/shm
    --perms 1777 --tmpfs /tmp --perms 1777 --tmpfs /var/tmp --tmpfs /run
    --ro-bind "$work/passwd" /etc/passwd --ro-bind "$work/group" /etc/group
)
[[ -d $root$HOME ]] || bubblewrap+=(--tmpfs "$(dirname "$HOME")")
bubblewrap+=(--perms 0700 --tmpfs "$HOME")
for file in /etc/resolv.conf /etc/hosts; do
    [[ ! -e $root$file ]] || bubblewrap+=(--ro-bind "$(realpath "$file")" "$file")
done
bubblewrap_own_pids=("${bubblewrap[@]}" --unshare-pid --proc /proc)
bubblewrap+=(--bind /proc /proc)
