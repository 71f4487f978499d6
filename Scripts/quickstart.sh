#!/usr/bin/env bash
# From a fresh Debian with a Swift toolchain to a program running in a Debian root of its own:
# installs what is missing, builds nsrun, makes a small bookworm rootfs once, runs a job in it.
# Needs root or sudo only where something is missing. Started by root, it builds and runs as the
# account nsrun-test, which it makes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if is_root; then
    prepare_account
    run_copy Scripts/quickstart.sh
    exit
fi

prepare_host "${build_packages[@]}"
binary=$(build_release)
make_rootfs

# Shows a command line, then runs it.
job() {
    local word line='$ nsrun'
    for word; do
        [[ $word != *[!A-Za-z0-9_./-]* ]] || word=${word@Q}
        line+=" $word"
    done
    printf '\n%s\n' "$line"
    "$binary" "$@"
}

job --rootfs "$suite" -- sh -c 'cat /etc/os-release; ls -l /proc/self/exe; ls /tmp'
# shellcheck disable=SC2016 # expanded inside
job --rootfs "$suite" -- sh -c 'echo "I am $(id -un), and these are all processes:"; cat /proc/[0-9]*/comm'

cat <<END

All of it without privilege; /tmp was empty because each run has its own.
  nsrun   $binary
  rootfs  $(rootfs)
END
