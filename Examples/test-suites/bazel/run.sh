#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Bazel, in its own sandbox and without.
set -euo pipefail
source ../lib.sh

bazel() { command bazel --output_user_root="$work/bazel" --max_idle_secs=60 "$@"; }
trap 'bazel shutdown' EXIT
results() { sed -nE 's,^//:(\w+) +([A-Z]+) in .*,\1 \2,p' log; }

must_pass bazel info
base=$(bazel info output_base 2>log)
run_under="nsrun --preset test --bind $base $base --bind $PWD $PWD --"
options=(--nocache_test_results --nosandbox_debug --test_timeout=3 --test_env=HOME)
for strategy in linux-sandbox local; do
    echo "$strategy:"
    must_fail bazel test "${options[@]}" --strategy=TestRunner="$strategy" \
        --run_under="$run_under" //...
    results | expect "daemon PASSED" "fails FAILED" "hangs TIMEOUT" "isolated PASSED"
done
# The sandbox's files are gone.
expect_free bazel-bin/{daemon,hangs}.runfiles/__main__/*.lock

echo "without nsrun:"
must_fail bazel test "${options[@]}" //:isolated
results | expect "isolated FAILED"
