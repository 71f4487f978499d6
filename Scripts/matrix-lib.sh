# SPDX-License-Identifier: Apache-2.0
# Shared by the tables of Scripts/matrix: a folder for the work, copies of the two commands in it (found
# in NSRUN and NSRUN_ROOTFS, else installed), the cells of a row, and the situations that a caller can
# be in. Sourced with `set -euo pipefail`.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Readable by an account that is neither root nor the owner of the checkout.
work=$(mktemp -d "${TMPDIR:-/tmp}/nsrun-matrix-XXXXXX")
install -m 755 -t "$work" "$(type -P "${NSRUN:-nsrun}")" "$(type -P "${NSRUN_ROOTFS:-nsrun-rootfs}")"
chmod 755 "$work"
guest=nsrun-matrix-$$
status=0

# shellcheck disable=SC2317 # called through trap
clean_up() {
    if getent passwd "$guest" >/dev/null; then userdel --remove "$guest" 2>/dev/null; fi
    rm -rf "$work"
}
trap clean_up EXIT

# check COMMAND...: runs one cell of the table, keeps what it prints in `log`, and fills in the seconds.
# shellcheck disable=SC2154 # set by the script
check() {
    local begun=$SECONDS
    if "$@" >"$log" 2>&1; then
        cells+=("$((SECONDS - begun))")
    else
        cells+=(NO)
        # shellcheck disable=SC2034 # the script's exit status
        status=1
        { echo "matrix: ${*@Q}:"; tail -n 15 "$log"; } >&2
    fi
}

# each_caller: calls table SITUATION POWER RUN... for everybody that the caller can stand for, with
# `folder` a place of theirs; RUN is put before every command. POWER is root, range or none. An ordinary
# user is who they are; root is root, and an account without a range, made for this and removed.
each_caller() {
    if ! is_root; then
        folder=$work/own
        mkdir "$folder"
        if has_subordinate_ids; then table range range; else table "no range" none; fi
        return
    fi
    folder=$work/root
    mkdir "$folder"
    table root root
    # A system account gets no range of subordinate ids.
    useradd --system --create-home --shell /bin/sh "$guest"
    folder=$(getent passwd "$guest" | cut -d: -f6)
    table "no range" none runuser -u "$guest" -- env -C "$folder" HOME="$folder" USER="$guest"
}
