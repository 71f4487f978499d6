#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes every single system call of every kind of launch fail once, with every error that it may give, and looks at
# what comes of it: the same world, words with a remedy, or something that is not to be. See faults/ and
#
#   faults.sh                    all modes: some 26,000 launches, an hour or more
#   faults.sh --mode NAME        one of them; --list shows what would be tried
#   faults.sh --sample N         so many by chance, with the seed that is printed; --seed WORD repeats them
#   faults.sh --only CALL        one system call
#   faults.sh --killed           no call fails: instead a process is killed after it, each after each of its calls, and
#                                all others have to end and to leave nothing
#   faults.sh --json FILE        all results
#   faults.sh --self-test        whether planted misbehaviour is found as what it is
#
# Only root can try this, on an account that is made for it and removed, or that NSRUN_MATRIX_ACCOUNT names. Finds
# nsrun in NSRUN, else installed; a Debian for the engines in ROOTFS, else the account's of test.sh; a proot in
# NSRUN_PROOT, else there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need_root_on_x86 "look at all that a launch could leave behind" "calls are made to fail"
nsrun=$(type -P "${NSRUN:-nsrun}")
home=$(account_home)
debian=${ROOTFS:-$home/.local/share/nsrun/rootfs/$suite}
# proot lies where the account of this alone can reach it, with all that belongs to it.
proot=${NSRUN_PROOT:-$home/.cache/nsrun-tests/engines/proot}

account=${NSRUN_MATRIX_ACCOUNT:-nsrun-faults-$$}
made=false
# shellcheck disable=SC2317 # called through trap
clean_up() {
    if $made; then userdel --remove "$account" 2>/dev/null; else rm -rf "$(account_home)/faults"; fi
}
trap clean_up EXIT
getent passwd "$account" >/dev/null || {
    useradd --create-home --shell /bin/sh "$account"
    made=true
}
rm -rf "$(account_home)/faults"

options=(--account "$account" --nsrun "$nsrun")
if [[ -d $debian ]]; then options+=(--debian "$debian"); fi
if [[ -x $proot ]]; then options+=(--proot "$proot"); fi
# In a shell of its own, for the devices get their modes back at its end; among mounts of its own, for many are made.
(
    restore_devices_at_exit
    prepare_host gcc libc6-dev passt python3 squashfs-tools squashfuse subordinate-ids uidmap fuse-device tun-device
    unshare --mount --propagation private python3 -B "$project/Scripts/matrix/faults" "${options[@]}" "$@"
)
