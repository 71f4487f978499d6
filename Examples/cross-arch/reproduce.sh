#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of a source tree on another architecture, from nothing, as an ordinary user, with
# nothing registered on this machine. Where they fail and there is a terminal, a shell stays there.
#
#   reproduce.sh ARCHITECTURE TREE [COMMAND...]    such as armhf ~/proj
#
# The tree is read-only at /src. The command, `make -f /src/Makefile check` where none is given,
# runs in /build, in a layer over the root that the next run finds as this one leaves it.
#
#   PLACE      keeps roots and layers; the folder .build here
#   SUITE      a release of Debian that has the architecture
#   PACKAGES   what a new root has, separated by commas
set -euo pipefail
if (($# < 2)); then
    echo "usage: reproduce.sh ARCHITECTURE TREE [COMMAND...]" >&2
    exit 2
fi
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
nsrun=$(realpath "${NSRUN:-$here/../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-$here/../../.build-rootfs/nsrun-rootfs}")
architecture=$1
tree=$(realpath "$2")
command=("${@:3}")
(($# > 2)) || command=(make -f /src/Makefile check)

suite=${SUITE:-bookworm}
# Debian has it since trixie.
[[ $architecture != riscv64 || -n ${SUITE:-} ]] || suite=trixie
place=${PLACE:-$here/.build}/$suite-$architecture
mkdir -p "$place"
[[ -d $place/root ]] ||
    "$tool" debian "$suite" "$place/root" --arch "$architecture" \
        --include "${PACKAGES:-gcc,libc6-dev,make}"

run=("$nsrun" --rootfs "$place/root" --overlay-dir "$place/layer" --ro-bind "$tree" /src)
"${run[@]}" -- mkdir -p /build
run+=(--chdir /build)
status=0
"${run[@]}" -- "${command[@]}" || status=$?
if ((status != 0)) && [[ -t 0 && -t 1 ]]; then
    echo "reproduce.sh: status $status; this shell is on $architecture: ${command[*]}" >&2
    "${run[@]}" -- bash || true
fi
exit "$status"
