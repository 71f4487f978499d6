#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# One suite on three Debians, made here and removed with the rest.
set -euo pipefail
source ../lib.sh

roots=()
for suite in bullseye bookworm trixie; do
    roots+=("$work/roots/$suite")
    must_pass "$NSRUN_ROOTFS" debian --quiet "$suite" "${roots[-1]}"
done
must_fail ./matrix.sh "${roots[@]}" -- ./suite.sh
sed -n '/^|/p' log
sed -n '/^|/p' log | grep -v seconds | diff - expected || fail "that was not expected"
