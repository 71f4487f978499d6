#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds Debian for other architectures, installs a compiler in each root, compiles and runs a
# program there, and sends the root somewhere else: all of it with nothing registered on the host.
# Prints a table of the times, for each caller that matrix-lib.sh knows.
#
#   architectures.sh [ARCHITECTURE]...
#
# Needs qemu-user-static.

# Some functions are called through trap and check only.
# shellcheck disable=SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

architectures=("$@")
(($# > 0)) || architectures=(armhf arm64 mipsel riscv64)
declare -A suites=([armhf]=bookworm [arm64]=bookworm [mipsel]=bookworm [riscv64]=trixie)

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

# table SITUATION POWER RUN...: one row an architecture, for root only the first.
table() {
    local situation=$1 power=$2 as_root=(--fake-root) wanted=("${architectures[@]}")
    local architecture suite root cells before
    run=("${@:3}")
    case $power in
    range) as_root=(--map-auto --uid 0 --gid 0) ;;
    root) wanted=("${architectures[0]}") ;;
    esac
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
each_caller
exit "$status"
