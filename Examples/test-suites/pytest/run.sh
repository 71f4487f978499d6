#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Pytest: each worker of pytest-xdist in a world of its own, and the whole run in one.
set -euo pipefail
source ../lib.sh

results() { sed -nE 's/^(PASSED|FAILED) \w+\.py::(\S+).*/\2 \1/p' log; }

run_all() {
    rm -rf listens daemon.lock
    must_fail "$@" -rA
    results | expect "test_daemon PASSED" "test_fails FAILED" "test_host_name PASSED" \
        "test_is_empty[dev-shm] PASSED" "test_is_empty[home] PASSED" \
        "test_is_empty[tmp] PASSED" "test_is_empty[var-tmp] PASSED" "test_limits PASSED" \
        "test_network PASSED" "test_source_tree_is_writable PASSED"
    expect_free daemon.lock
}
run_all python3 -m pytest
find listens -type f | expect listens/gw0 listens/gw1

echo "the whole run:"
run_all nsrun --preset test -- python3 -m pytest -o addopts=

echo "without nsrun:"
must_fail python3 -m pytest -o addopts= -rA -k is_empty
results | expect "test_is_empty[dev-shm] FAILED" "test_is_empty[home] FAILED" \
    "test_is_empty[tmp] FAILED" "test_is_empty[var-tmp] FAILED"
