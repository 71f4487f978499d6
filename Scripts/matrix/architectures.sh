#!/usr/bin/env bash
# Builds Debian for other architectures, installs a compiler in each root, compiles and runs a
# program there, and sends the root somewhere else: all of it with nothing registered on the host.
# Prints a table of the times. An ordinary user does so as who they are, with a range of subordinate
# ids or without; root does so as root, for one architecture, and as an account without a range that
# is made for this and removed.
#
#   architectures.sh [ARCHITECTURE]...
#
# Needs qemu-user-static. Finds the two commands in NSRUN and NSRUN_ROOTFS, else installed.

# Some functions are called through trap and check only.
# shellcheck disable=SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

architectures=("$@")
(($# > 0)) || architectures=(armhf arm64 mipsel riscv64)
declare -A suites=([armhf]=bookworm [arm64]=bookworm [mipsel]=bookworm [riscv64]=trixie)
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

mkdir "$work/source"
cat >"$work/source/factorial.c" <<'END'
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int64_t result = 1;
    for (int factor = argc > 1 ? atoi(argv[1]) : 0; factor > 1; factor--)
        result *= factor;
    printf("Result: %" PRId64 "\n", result);
    return 0;
}
END
chmod -R a+rX "$work/source"

# check COMMAND...: runs one cell of the table, keeps what it prints, and fills in the seconds.
check() {
    local begun=$SECONDS
    if "$@" >"$log" 2>&1; then
        cells+=("$((SECONDS - begun))")
    else
        cells+=(NO)
        status=1
        { echo "matrix: ${*@Q}:"; tail -n 15 "$log"; } >&2
    fi
}

# inside ROOT OPTION... -- COMMAND...: as whoever the table is for.
inside() { "${run[@]}" "$work/nsrun" --rootfs "$@"; }

install_compiler() {
    inside "$root" --writable "${as_root[@]}" -- sh -ec '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update
        apt-get install -y --no-install-recommends gcc libc6-dev
        dpkg --status gcc | grep -x "Status: install ok installed"'
}

# compile ROOT: a program with libraries and one without, and what each prints.
compile() {
    # shellcheck disable=SC2016 # expanded inside
    inside "$1" --ro-bind "$work/source" /tmp/source --chdir /tmp -- sh -ec '
        for kind in dynamic static; do
            option=
            [ $kind = dynamic ] || option=-static
            gcc -O2 -Wall -Werror $option -o $kind source/factorial.c
            [ "$(./$kind 20)" = "Result: 2432902008176640000" ]
        done
        readelf --program-headers dynamic | grep INTERP
        ! readelf --program-headers static | grep INTERP'
}

# send: the root becomes one file, another root is made of that, and works as the first did.
send() {
    "${run[@]}" "$work/nsrun-rootfs" export "$root" "$root.tar.zst" &&
        "${run[@]}" "$work/nsrun-rootfs" import "$root.tar.zst" "$root-copy" &&
        [[ $(inside "$root-copy" -- dpkg --print-architecture) == "$architecture" ]] &&
        compile "$root-copy" &&
        "${run[@]}" "$work/nsrun-rootfs" remove "$root-copy" &&
        "${run[@]}" rm "$root.tar.zst"
}

# registered: what this machine runs by an emulator. It stays what it is.
registered() { ls /proc/sys/fs/binfmt_misc; }

# table SITUATION OPTIONS ARCHITECTURES RUN...: one row an architecture; RUN is put before every
# command, and the options make its caller root of a root.
table() {
    local situation=$1 as_root wanted architecture suite root cells before
    read -ra as_root <<<"$2"
    read -ra wanted <<<"$3"
    run=("${@:4}")
    for architecture in "${wanted[@]}"; do
        suite=${suites[$architecture]} root=$folder/$architecture log=$folder/log cells=()
        before=$(registered)
        check "${run[@]}" "$work/nsrun-rootfs" debian "$suite" "$root" --arch "$architecture"
        check install_compiler
        check compile "$root"
        check send
        if [[ $(registered) == "$before" ]]; then cells+=(yes); else cells+=(NO) status=1; fi
        "${run[@]}" "$work/nsrun-rootfs" remove "$root" || status=1
        printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' \
            "$architecture" "$suite" "$situation" "${cells[@]}"
    done
}

printf '| architecture | suite | as | debian, s | gcc, s | factorial, s | %s | %s |\n' \
    "export, import, factorial, s" "host as it was"
printf '| --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n'
fake=--fake-root
if is_root; then
    folder=$work/root
    mkdir "$folder"
    table root "$fake" "${architectures[0]}"
    # A system account gets no range of subordinate ids.
    useradd --system --create-home --shell /bin/sh "$guest"
    folder=$(getent passwd "$guest" | cut -d: -f6)
    table "no range" "$fake" "${architectures[*]}" \
        runuser -u "$guest" -- env -C "$folder" HOME="$folder" USER="$guest"
else
    folder=$work/own
    mkdir "$folder"
    if has_subordinate_ids; then
        table range "--map-auto --uid 0 --gid 0" "${architectures[*]}"
    else
        table "no range" "$fake" "${architectures[*]}"
    fi
fi
exit "$status"
