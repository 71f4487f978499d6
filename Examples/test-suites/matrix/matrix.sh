#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a test suite on several roots at once, in the source tree as it is, which stays as it is.
# Prints a table, a line for each test that the suite reports in TAP and a column for each root;
# before it, what the suite said where it failed.
#
#   matrix.sh ROOT... -- COMMAND [ARG]...
#
# Exits with 0 if the suite does on every root.
set -euo pipefail

roots=()
while (($# > 0)) && [[ $1 != -- ]]; do
    roots+=("$1")
    shift
done
if (($# < 2 || ${#roots[@]} == 0)); then
    echo "usage: ${0##*/} ROOT... -- COMMAND [ARG]..." >&2
    exit 125
fi
shift

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# run_on ROOT LOG COMMAND [ARG]...: prints the lines of ROOT's column, "TEST<tab>RESULT".
run_on() {
    local status=0 start=${EPOCHREALTIME/[.,]/} time
    nsrun --preset test --ephemeral --rootfs "$1" -- "${@:3}" >"$2" 2>&1 || status=$?
    time=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
    sed -nE 's/^ok [0-9]+ (- )?(.*) # (skip|SKIP)\>.*/\2\tskipped/p; t
        s/^ok [0-9]+ (- )?(.*)/\2\tok/p; s/^not ok [0-9]+ (- )?(.*)/\2\tFAILED/p' "$2"
    printf 'exit status\t%d\nseconds\t%d.%d\n' "$status" $((time / 10)) $((time % 10))
    return "$status"
}

runs=()
columns=()
for each in "${!roots[@]}"; do
    mkdir "$work/$each"
    columns+=("$work/$each/${roots[each]##*/}")
    run_on "${roots[each]}" "$work/$each.log" "$@" >"${columns[each]}" &
    runs+=($!)
done
failed=0
for each in "${!runs[@]}"; do
    wait "${runs[each]}" && continue
    failed=1
    echo "--- ${roots[each]##*/}:"
    cat "$work/$each.log"
done

awk -F '\t' '
    FNR == 1 { title = FILENAME; sub(/.*\//, "", title); cell["", ++width] = title }
    !($1 in known) { known[$1]; tests[++count] = $1; if (length($1) > most) most = length($1) }
    { cell[$1, width] = $2 }
    function line(test, column) {
        printf "| %-*s |", most, test
        for (column = 1; column <= width; column++) printf " %-8s |", cell[test, column]
        print ""
    }
    END {
        line("")
        printf "|"; for (column = 0; column <= width; column++) printf " --- |"; print ""
        for (row = 1; row <= count; row++) line(tests[row])
    }' "${columns[@]}"
exit "$failed"
