#!/usr/bin/env bash
# Builds the command as it ships: Embedded Swift, one static file. Prints its path.
# Needs a Swift toolchain, libcap-dev and pkg-config; lld comes with the toolchain.
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder of its own, so that builds for the library and the tests do not undo each other.
scratch=${NSRUN_SCRATCH:-$PWD}/.build-embedded
export NSRUN_EMBEDDED=1 SWIFT_BACKTRACE=enable=no
swift build -c release --product nsrun --scratch-path "$scratch" "$@" >&2
binary=$scratch/release/nsrun
strip -o "$binary.stripped" "$binary"
mv "$binary.stripped" "$scratch/nsrun"
echo "$scratch/nsrun"
