#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# patch.sh PROGRAM OUT: makes of a program of this host one that starts in any rootfs that has the
# host's / at /run/host, as with nsrun --host-root or --preset toolbox: it uses the host's loader
# and libraries. Needs patchelf.
set -euo pipefail

fail() {
    echo "patch.sh: $*" >&2
    exit 1
}
(($# == 2)) || fail "usage: patch.sh PROGRAM OUT"
type -P patchelf >/dev/null || fail "patchelf is not installed; apt install patchelf"
program=$(realpath "$1")
out=$2

# The loader is named by a link, which on Debian is absolute: below /run/host it leads out of there
# again, to the rootfs's own loader. So it is given without links.
loader=$(patchelf --print-interpreter "$program" 2>/dev/null) ||
    fail "$program names no loader: a static program needs none, and a script's interpreter does"

# RUNPATH counts for what the program itself asks for, not for what its libraries do: so it asks for
# all of them.
needed=$(patchelf --print-needed "$program")
libraries=$("$loader" --list "$program")
path=
more=()
while read -r name arrow file _; do
    [[ $arrow == "=>" && $name != */* ]] || continue
    [[ $file == /* ]] || fail "this host lacks $name, a library of $program"
    directory=/run/host$(dirname "$(realpath "$file")")
    [[ :$path: == *:$directory:* ]] || path+=${path:+:}$directory
    grep -qxF "$name" <<<"$needed" || more+=(--add-needed "$name")
done <<<"$libraries"

# In two steps: of both at once patchelf 0.14 makes a RUNPATH that is the name of a library.
patchelf --set-interpreter "/run/host$(realpath "$loader")" --set-rpath "$path" \
    --output "$out" "$program"
((${#more[@]} == 0)) || patchelf "${more[@]}" "$out"
