# SPDX-License-Identifier: Apache-2.0
# Shared by the parts' run.sh, which start in their own folder of the copy.
# shellcheck shell=bash

# The directory of the copy, for what must lie outside of the source tree.
# shellcheck disable=SC2034
work=$(cd ../.. && pwd)

# fail MESSAGE: shows what the last tool said, too.
fail() {
    [[ ! -e log ]] || cat log >&2
    echo "${PWD##*/}/run.sh: $1" >&2
    exit 1
}

# Run a tool; what it says goes to the file `log`.
must_pass() { "$@" >log 2>&1 || fail "that was not expected to fail: $*"; }
must_fail() { if "$@" >log 2>&1; then fail "that was expected to fail: $*"; fi; }

# expect LINE...: shows what comes in, sorted, and compares.
expect() {
    local seen
    seen=$(LC_ALL=C sort)
    printf '%s\n' "$seen"
    diff <(printf '%s\n' "$@") <(printf '%s\n' "$seen") || fail "that was not expected"
}

# expect_free LOCK...: each was held by a process that a test left behind, and no longer is.
expect_free() {
    local lock
    for lock; do
        [[ -e $lock ]] || fail "nothing has held $lock"
        flock --nonblock "$lock" true || fail "what held $lock lives on"
    done
    echo "nothing left behind"
}
