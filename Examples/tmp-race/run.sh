#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two launches at once, each with a loader of its own behind the same link in /tmp: first with the
# /tmp that everybody shares, then under nsrun. Exits with 0 if the first goes wrong, the second
# right.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")

mkdir -p .build
cp launcher.sh .build
cd .build
export LOADER_LINK=/tmp/nsrun-tmp-race-$UID
trap 'rm -f "$LOADER_LINK"' EXIT

compiler=$(type -P cc || type -P clang)
"$compiler" -Wl,--dynamic-linker="$LOADER_LINK" -o show-loader ../show-loader.c
loader=$(grep -m 1 -o '/.*/ld-linux.*' /proc/self/maps)
for name in red blue; do
    cp "$loader" "loader-of-$name"
    rm -f "turn-$name"
    mkfifo "turn-$name"
done

# Runs both launchers at once, each below the command given, and shows what they say.
race() {
    "$@" ./launcher.sh red >red.log &
    "$@" ./launcher.sh blue >blue.log &
    wait
    cat red.log blue.log
}

expect() {
    diff <(printf '%s\n' "$@") - || {
        echo "run.sh: that was not expected" >&2
        exit 1
    }
}

echo "A shared /tmp:"
race timeout 30 | tee log
expect "red: runs with loader-of-blue" "red: finds no loader" \
    "blue: runs with loader-of-blue" <log

echo "Under nsrun:"
race "$nsrun" --timeout 30 --cwd | tee log
expect "red: runs with loader-of-red" "red: runs with loader-of-red" \
    "blue: runs with loader-of-blue" <log
