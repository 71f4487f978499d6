#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# On demand: builds a Debian for ARM, compiler and all, which takes some minutes the first time.
#
# Tests that pass on this machine and fail on another: the failure is reproduced, looked at in a
# shell there, and mended. Exits with 0 if everything printed is what should be. Needs gcc,
# libc6-dev, make and qemu-user-static.
#
#   run.sh [ARCHITECTURE]    with one, only its tests, and a shell where they fail; see reproduce.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
(($# == 0)) || exec ./reproduce.sh "$1" project

for program in gcc make qemu-arm-static; do
    type -P "$program" >/dev/null || {
        echo "run.sh: this needs packages: apt-get install --no-install-recommends" \
            "gcc libc6-dev make qemu-user-static" >&2
        exit 1
    }
done
work=$(mktemp -d)
clean_up() {
    # The root is kept for the next time, what was built there is not.
    if [[ -d .build/bookworm-armhf/layer ]]; then
        ./reproduce.sh armhf project find /build -mindepth 1 -delete
    fi
    rm -rf "$work"
}
trap clean_up EXIT
cp -R project "$work/project"
registered=$(ls /proc/sys/fs/binfmt_misc)

# expect STATUS TEXT...: shows what comes in, and compares; its last line is the status.
expect() {
    local seen
    seen=$(cat)
    printf '  %s\n' "${seen//$'\n'/$'\n'  }"
    diff <(printf '%s\n' "${@:2}" "status $1") <(printf '%s\n' "$seen") || {
        echo "run.sh: that was not expected" >&2
        exit 1
    }
}

# try COMMAND...: what it says, and how it ends.
try() {
    local status=0
    "$@" 2>&1 || status=$?
    echo "status $status"
}

on_arm=(./reproduce.sh armhf "$work/project")
right=("degrees: -5" "microseconds: 7200000000" "0 of 2 failed")

echo "On this machine:"
mkdir "$work/build"
try make --silent -C "$work/build" -f "$work/project/Makefile" check | expect 0 "${right[@]}"

echo "On 32-bit ARM:"
# The root, where there is none yet.
"${on_arm[@]}" true
try "${on_arm[@]}" | expect 2 "cc -O2 -Wall -c -o test.o /src/test.c" \
    "cc -O2 -Wall -c -o gauge.o /src/gauge.c" "cc -o test test.o gauge.o" \
    "degrees: 251, and that is wrong" "microseconds: -1389934592, and that is wrong" \
    "2 of 2 failed" "make: *** [/src/Makefile:7: check] Error 1"

echo "The shell that a terminal gets then, and what the next run finds of it:"
# shellcheck disable=SC2016 # expanded inside
printf '%s\n' 'echo "$(uname -m), $PWD:" * >note' exit |
    try timeout 100 script --quiet --return --command "${on_arm[*]@Q} ./test" /dev/null \
        >"$work/session"
tail -n 1 "$work/session" | expect 1
try "${on_arm[@]}" cat note | expect 0 "armv7l, /build: gauge.o test test.o"

echo "Mended; only what has changed is compiled again:"
# Whether char has a sign, and how long a long is, differs between machines.
sed -i 's/char value/signed char value/; s/long hours/int64_t hours/' "$work/project/gauge.c"
try "${on_arm[@]}" | expect 0 "cc -O2 -Wall -c -o gauge.o /src/gauge.c" \
    "cc -o test test.o gauge.o" "${right[@]}"

[[ $(ls /proc/sys/fs/binfmt_misc) == "$registered" ]] || {
    echo "run.sh: something was registered on this machine" >&2
    exit 1
}
