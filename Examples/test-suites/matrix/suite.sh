#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A suite that runs on a bare Debian and reports in TAP. Some of it needs a newer one than others.
# shellcheck disable=SC2317 # check calls by name
number=0
status=0

# check NAME COMMAND...
check() {
    number=$((number + 1))
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        status=1
    fi
}

# The source tree may lie below the directory, nothing else does.
is_empty() {
    for entry in "$1"/* "$1"/.[!.]*; do
        case $PWD/ in "$entry"/*) continue ;; esac
        if [ -e "$entry" ]; then return 1; fi
    done
}

# Each root's run makes this directory, in the one source tree, at the same time.
makes_result() { mkdir result && sleep 0.2 && rmdir result; }

check "/tmp is empty" is_empty /tmp
check "home is empty" is_empty "$HOME"
check "host name is test" test "$(uname -n)" = test
check "no network but lo" test "$(grep -c : /proc/net/dev)" = 1
check "source tree is its own" makes_result
check "ls --zero" ls --zero
check "cp --update=none" cp --update=none /etc/passwd /tmp/copy
echo "1..$number"
exit "$status"
