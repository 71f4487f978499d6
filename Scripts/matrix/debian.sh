#!/usr/bin/env bash
# Builds every Debian release that nsrun-rootfs is made for, installs packages in what came out, and
# prints a table. An ordinary user does so as who they are, with a range of subordinate ids or
# without; root does so as root, and as an account without a range that is made for this and removed.
#
# Finds the two commands in NSRUN and NSRUN_ROOTFS, else installed.

# Some functions are called through trap and check only.
# shellcheck disable=SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

suites=(bullseye bookworm trixie)
nsrun=$(type -P "${NSRUN:-nsrun}")
tool=$(type -P "${NSRUN_ROOTFS:-nsrun-rootfs}")
# Readable by an account that is neither root nor the owner of the checkout.
work=$(mktemp -d "${TMPDIR:-/tmp}/nsrun-matrix-XXXXXX")
install -m 755 -t "$work" "$nsrun" "$tool"
chmod 755 "$work"
guest=nsrun-matrix-$$
status=0

clean_up() {
    if getent passwd "$guest" >/dev/null; then userdel --remove "$guest" 2>/dev/null; fi
    rm -rf "$work"
}
trap clean_up EXIT

# check COMMAND...: runs one cell of the table, keeps what it prints, and fills the cell in.
check() {
    if "$@" >"$log" 2>&1; then
        cells+=(yes)
    else
        cells+=(NO)
        status=1
        { echo "matrix: ${*@Q}:"; tail -n 15 "$log"; } >&2
    fi
}

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

# table SITUATION POWER RUN...: one row a release; RUN is put before every command.
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

printf '| suite | as | debian | hello, --fake-root | man-db openssh-server, --map-auto | remove |\n'
printf '| --- | --- | --- | --- | --- | --- |\n'
if is_root; then
    folder=$work/root
    mkdir "$folder"
    table root root
    # A system account gets no range of subordinate ids.
    useradd --system --create-home --shell /bin/sh "$guest"
    folder=$(getent passwd "$guest" | cut -d: -f6)
    table "no range" none runuser -u "$guest" -- env -C "$folder" HOME="$folder" USER="$guest"
else
    folder=$work/own
    mkdir "$folder"
    if has_subordinate_ids; then table range range; else table "no range" none; fi
fi
exit "$status"
