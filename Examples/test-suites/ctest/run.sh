#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# CTest, with a build directory outside of the source tree.
set -euo pipefail
source ../lib.sh
build=$work/build-ctest

results() { sed -nE 's/.*Test +#[0-9]+: (\w+) [ .*]+([A-Z]\w+) .*/\1 \2/p' log; }

must_pass cmake -S . -B "$build"
must_pass cmake --build "$build"
must_fail ctest --test-dir "$build" --parallel 8
results | expect "daemon Passed" "fails Failed" "hangs Timeout" "isolated Passed" \
    "port_1 Passed" "port_2 Passed" "script Passed" "skips Skipped"
expect_free "$build"/{daemon,hangs}.lock

echo "without nsrun:"
must_pass cmake -D NSRUN=OFF "$build"
must_fail ctest --test-dir "$build" --tests-regex isolated
results | expect "isolated Failed"
