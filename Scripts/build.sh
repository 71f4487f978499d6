#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Scripts/build.sh [nsrun|nsrun-rootfs]: builds a command as it ships, nsrun unless named, and
# prints its path. Both are one static file; nsrun is Embedded Swift.
# Needs a Swift toolchain and the packages in lib.sh; lld comes with the toolchain.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no

command=${1-nsrun}
# Folders of their own, so that builds for the library and the tests do not undo each other.
case $command in
nsrun)
    scratch=${NSRUN_SCRATCH:-$PWD}/.build-embedded
    export NSRUN_EMBEDDED=1
    ;;
nsrun-rootfs)
    scratch=${NSRUN_SCRATCH:-$PWD}/.build-rootfs
    ;;
*)
    echo "usage: Scripts/build.sh [nsrun|nsrun-rootfs]" >&2
    exit 1
    ;;
esac
swift build -c release --product "$command" --scratch-path "$scratch" >&2
binary=$scratch/release/$command
strip -o "$binary.stripped" "$binary"
mv "$binary.stripped" "$scratch/$command"
echo "$scratch/$command"
