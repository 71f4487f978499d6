#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the example, in debug and in release, runs a command with each, and checks what comes out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rootfs=${ROOTFS:-bookworm}

# expect WHAT TEXT: some line of the output is TEXT.
expect() {
    grep -qxF -- "$2" <<<"$output" || {
        printf 'run.sh: %s: no line "%s" in:\n%s\n' "$1" "$2" "$output" >&2
        exit 1
    }
}

# shellcheck disable=SC2016 # expanded inside
job='cat "$GREETING"; grep PRETTY /etc/os-release; cut -sd: -f1 /proc/net/dev; exit 3'

for configuration in debug release; do
    swift build -c "$configuration"
    status=0
    output=$(".build/$configuration/run-inside" "$rootfs" sh -c "$job") || status=$?
    ((status == 3)) || {
        printf 'run.sh: exit status %s instead of 3:\n%s\n' "$status" "$output" >&2
        exit 1
    }
    expect "the plan is explained" "Steps:"
    expect "the file is there" "hello from the library"
    expect "the root is the other one" 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"'
    expect "there is no network but loopback" "    lo"
    expect "the status comes back" "ended: exited(3)"
done
echo "$output"
