#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian packages in fresh roots of several suites, see package.sh: installed with what is not needed (AppArmor), tried,
# and removed. Finds nsrun-rootfs in NSRUN_ROOTFS, else installed.
#
#   packages.sh            the suites in $SUITES
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${SUITES:=bullseye bookworm trixie}"
if is_root; then
    say "packages are made by an ordinary user: nothing is tried here"
    exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in $SUITES; do
    "${NSRUN_ROOTFS:-nsrun-rootfs}" debian "$name" "$work/$name" --include apparmor
    "$project/Scripts/package.sh" --check "$work/$name" "$work"
done
