#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh Debian with a Swift toolchain to a program running in a Debian root of its own:
# installs what is missing, builds nsrun and nsrun-rootfs, makes a small bookworm rootfs once, runs
# a job in it. Needs root or sudo only where a package is missing. Started by root, it builds and
# runs as the account nsrun-test, which it makes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if is_root; then
    prepare_account "${rootfs_packages[@]}"
    run_copy Scripts/quickstart.sh
    exit
fi

prepare_host "${build_packages[@]}" "${rootfs_packages[@]}"
binary=$(build_release)
rootfs_tool=$(build_rootfs_tool)

# Shows a command line, then runs it: show PROGRAM ARG...
show() {
    local word line="\$ ${1##*/}"
    for word in "${@:2}"; do
        [[ $word != *[!A-Za-z0-9_./-]* ]] || word=${word@Q}
        line+=" $word"
    done
    printf '\n%s\n' "$line"
    "$@"
}

job() { show "$binary" "$@"; }

[[ -d $(rootfs) ]] || show "$rootfs_tool" debian "$suite" "$suite"
job --rootfs "$suite" -- sh -c 'cat /etc/os-release; ls -l /proc/self/exe; ls /tmp'
# shellcheck disable=SC2016 # expanded inside
job --rootfs "$suite" -- sh -c 'echo "I am $(id -un), and these are all processes:"; cat /proc/[0-9]*/comm'

cat <<END

All of it without privilege; /tmp was empty because each run has its own.
  nsrun         $binary
  nsrun-rootfs  $rootfs_tool
  rootfs        $(rootfs)
END
