#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Launches by the thousand, eight at a time, some of which are killed while they come up or run: cold ones, reused and
# joined ones, and imports of one name. What was not killed has to be right, and at the end all that a launch could leave
# is counted: processes, mounts, namespaces, keys, sockets, descriptors, files, and memory that belongs to nobody.
#
#   load.sh                  10,000 launches, 2,000 that are reused or joined, 200 imports: a few minutes
#   load.sh --of N           an Nth part of that
#   load.sh --seed WORD      the same kinds, victims and moments once more
#
# Root goes on as the account of test.sh, or as NSRUN_MATRIX_ACCOUNT, which has nothing else to do meanwhile, and sees what
# an ordinary user does not: more is counted then. Finds the two
# commands in NSRUN and NSRUN_ROOTFS, else installed; a Debian in ROOTFS, else the account's of test.sh.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

account=${NSRUN_MATRIX_ACCOUNT:-$account}
options=(--account "$(ordinary_user)" --nsrun "$work/nsrun" --nsrun-rootfs "$work/nsrun-rootfs")
if is_root; then
    debian=${ROOTFS:-$(account_home)/.local/share/nsrun/rootfs/$suite}
else
    debian=${ROOTFS:-$(rootfs)}
fi
# shellcheck disable=SC2154 # set by lib.sh
python3 -B "$project/Scripts/matrix/load" "${options[@]}" --rootfs "$debian" "$@"
