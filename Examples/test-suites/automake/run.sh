#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Automake's parallel harness, which knows no time limit: nsrun has one for each test.
set -euo pipefail
source ../lib.sh

results() { sed -nE 's/^([A-Z]+): (\w+)$/\2 \1/p' log; }

must_pass autoreconf --install
must_pass ./configure
must_fail make check --jobs 8
results | expect "daemon PASS" "fails FAIL" "hangs FAIL" "isolated PASS" "port_1 PASS" \
    "port_2 PASS" "skips SKIP"
tail --quiet --lines 1 {fails,hangs}.log |
    expect "FAIL fails (exit status: 3)" "FAIL hangs (exit status: 124)"
expect_free {daemon,hangs}.lock

echo "without nsrun:"
must_fail make check LOG_COMPILER= AM_LOG_FLAGS= TESTS=isolated
results | expect "isolated FAIL"
