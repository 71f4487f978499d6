# SPDX-License-Identifier: Apache-2.0
# Shared by the checks that only root can make, Tests/*/as-root.sh: a folder for the work, and what counts what
# has passed.
# shellcheck shell=bash

((EUID == 0)) || { echo "as-root.sh: only root can run this" >&2 && exit 1; }
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

# The script goes on in a mount namespace of its own.
own_mounts() {
    [[ ${NSRUN_TEST_UNSHARED-} != yes ]] || return 0
    NSRUN_TEST_UNSHARED=yes unshare --mount --propagation private "$0"
    exit
}

# expect WANTED WHAT COMMAND...: the command prints exactly that.
expect() {
    local seen
    seen=$("${@:3}" 2>&1) || true
    [[ $seen == "$1" ]] || {
        printf 'as-root.sh: %s: %s\n  instead of: %s\n' "$2" "$seen" "$1" >&2
        exit 1
    }
    passed=$((passed + 1))
}
