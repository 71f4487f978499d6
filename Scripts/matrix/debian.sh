#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds every Debian release that nsrun-rootfs is made for, installs packages in what came out, and
# prints a table of the times, for each caller that matrix-lib.sh knows.

# Some functions are called through trap and check only.
# shellcheck disable=SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

suites=(bullseye bookworm trixie)

# install_packages ROOT PACKAGE... -- OPTION...: apt-get in the root itself, and dpkg's word that each
# package is configured now.
install_packages() {
    local root=$1 packages=()
    shift
    while [[ $1 != -- ]]; do
        packages+=("$1")
        shift
    done
    # shellcheck disable=SC2016 # expanded inside
    "${run[@]}" "$work/nsrun" --rootfs "$root" --writable "${@:2}" -- sh -ec '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update
        apt-get install -y "$@"
        for package; do
            dpkg --status "$package" | grep -x "Status: install ok installed"
        done' sh "${packages[@]}"
}

# table SITUATION POWER RUN...: one row a release.
table() {
    local situation=$1 power=$2 suite root cells
    run=("${@:3}")
    for suite in "${suites[@]}"; do
        root=$folder/$suite log=$folder/log cells=()
        check "${run[@]}" "$work/nsrun-rootfs" debian "$suite" "$root"
        check install_packages "$root" hello -- --fake-root
        case $power in
        range) check install_packages "$root" man-db openssh-server -- --map-auto --uid 0 --gid 0 ;;
        *) cells+=(-) ;;
        esac
        check "${run[@]}" "$work/nsrun-rootfs" remove "$root"
        printf '| %s | %s | %s | %s | %s | %s |\n' "$suite" "$situation" "${cells[@]}"
    done
}

printf '| suite | as | debian, s | hello, --fake-root, s | man-db openssh-server, --map-auto, s | remove, s |\n'
printf '| --- | --- | ---: | ---: | ---: | ---: |\n'
each_caller
exit "$status"
