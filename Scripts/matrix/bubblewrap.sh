#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs bubblewrap's own tests on nsrun under the name bwrap, and prints a table of how many passed, failed and were
# passed over. The tests are not kept here:
#
#   BUBBLEWRAP_SOURCE   a checkout of bubblewrap, of the release whose manners nsrun has
#   BUBBLEWRAP_BUILD    where its helpers were built, $BUBBLEWRAP_SOURCE/_build by itself
#   BUBBLEWRAP          upstream's own bwrap, for a second row: nsrun is to pass as many
#
# Without a checkout there is nothing to run, and it says so. The seccomp tests need python3-seccomp.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

if [[ -z ${BUBBLEWRAP_SOURCE:-} ]]; then
    say "no checkout of bubblewrap is named (BUBBLEWRAP_SOURCE): its tests are not run"
    exit 0
fi
source=$(realpath "$BUBBLEWRAP_SOURCE")
build=$(realpath "${BUBBLEWRAP_BUILD:-$source/_build}")
ln -s nsrun "$work/bwrap"

# score BWRAP TEST: runs one of the files, and prints how many tests passed, failed and were passed over. A file that
# ends before its last line has failed where it ended.
score() {
    local log=$work/log run=(bash) status=0
    [[ $2 == *.py ]] && run=(python3)
    (cd "$work" && env BWRAP="$1" G_TEST_SRCDIR="$source" G_TEST_BUILDDIR="$build" timeout 600 "${run[@]}" "$2") \
        >"$log" 2>&1 || status=$?
    local passed failed skipped
    skipped=$(grep -ciE '^ok .*# skip|^1\.\.0 # skip|\.\.\. skipped' "$log") || true
    if grep -q '^Ran [0-9]* test' "$log"; then
        failed=$(grep -cE '^(FAIL|ERROR): ' "$log") || true
        passed=$(($(sed -n 's/^Ran \([0-9]*\) test.*/\1/p' "$log") - failed - skipped))
    else
        failed=$(grep -c '^not ok ' "$log") || true
        passed=$(($(grep -c '^ok ' "$log" || true) - skipped))
        if ((status != 0 && failed == 0)); then failed=1; fi
    fi
    echo "$passed $failed $skipped"
    if ((failed > 0)); then tail -n 15 "$log" >&2; fi
}

printf '%-28s %-8s %6s %6s %6s\n' TESTS BWRAP passed failed over
for file in "$source"/tests/test-*.sh "$source"/tests/test-*.py; do
    [[ -e $file && $file != */test-helper.py ]] || continue
    least=0
    for name in upstream nsrun; do
        program=$work/bwrap
        if [[ $name == upstream ]]; then program=${BUBBLEWRAP:-}; fi
        [[ -n $program ]] || continue
        read -r passed failed skipped < <(score "$program" "$file")
        printf '%-28s %-8s %6d %6d %6d\n' "${file##*/}" "$name" "$passed" "$failed" "$skipped"
        if [[ $name == upstream ]]; then least=$passed; fi
        if [[ $name == nsrun ]] && ((passed < least)); then status=1; fi
    done
done
exit "$status"
