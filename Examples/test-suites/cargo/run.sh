#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Cargo, which runs one test program at a time: here two calls run at once.
set -euo pipefail
source ../lib.sh

results() { sed -nE 's/^test (\w+) \.\.\. (\w+)$/\1 \2/p' "$@"; }

must_fail cargo test --offline --no-fail-fast --test isolated --test fails
results log | expect "daemon ok" "fails FAILED" "home_is_empty ok" "host_is_called_test ok" \
    "network_is_unreachable ok" "processes_are_limited ok" "source_tree_is_writable ok" \
    "temporary_directories_are_empty ok"
expect_free daemon.lock

echo "two at once:"
must_pass cargo test --offline --test port --no-run
for job in 1 2; do
    JOB=$job cargo test --offline --test port >"log-$job" 2>&1 &
done
wait
results log-1 | expect "port ok"
results log-2 | expect "port ok"

echo "without nsrun:"
# Cargo looks for its settings from the current directory upwards.
cd ..
must_fail cargo test --offline --manifest-path cargo/Cargo.toml --test isolated -- _empty
results log | expect "home_is_empty FAILED" "temporary_directories_are_empty FAILED"
