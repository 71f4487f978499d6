#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Meson, with a build directory outside of the source tree: wrapped by an option, and by a set-up
# that the project defines.
set -euo pipefail
source ../lib.sh

# Lines as "5/7 fails    FAIL            0.03s   exit status 3"; newer versions say suite:fails.
results() {
    sed -nE 's/^ *[0-9]+\/[0-9]+ +(\w+:)?(\w+) +([A-Z]+) +[0-9.]+s */\2 \3 /; T
        s/ (\(.*)?$//; p' log
}

for option in --wrapper="nsrun --preset test --bind $PWD $PWD --" --setup=nsrun; do
    build=$work/build-meson${option%%=*}
    echo "${option//$PWD/\$PWD}:"
    must_pass meson setup "$build"
    must_fail meson test -C "$build" --num-processes 8 "$option"
    results | expect "daemon OK" "fails FAIL exit status 3" "hangs TIMEOUT" "isolated OK" \
        "port_1 OK" "port_2 OK" "skips SKIP exit status 77"
    expect_free "$build"/{daemon,hangs}.lock
done

echo "without nsrun:"
must_fail meson test -C "$build" isolated
results | expect "isolated FAIL exit status 1"
