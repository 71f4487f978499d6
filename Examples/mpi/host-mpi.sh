#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# host-mpi.sh FOLDER: collects this host's Open MPI, and what it needs beside the C library, in FOLDER, and
# writes the options that show it to a root which has no MPI of its own, or another one, to FOLDER/options:
#
#     nsrun --preset hpc --rootfs R --join auto @FOLDER/options -- PROGRAM
#
# The root's C library must be as new as this host's, or newer. A vendor's MPI in a folder of its own
# (/opt/...) needs none of this: --ro-bind it at its path, and --setenv LD_LIBRARY_PATH.
set -euo pipefail
(($# == 1)) || { echo "usage: host-mpi.sh FOLDER" >&2; exit 1; }

mkdir -p "$1/lib"
folder=$(realpath "$1")
mpi=$(/sbin/ldconfig -p | sed -n 's/^\tlibmpi\.so\.[0-9]* .*=> //p' | head -n 1)
[[ -n $mpi ]] || { echo "host-mpi.sh: this host has no libmpi" >&2; exit 1; }
libraries=$(dirname "$(realpath "$mpi")")

# Plugins are looked for where they were installed, and have needs of their own.
plugins=("$libraries"/openmpi "$libraries"/pmix2 /etc/openmpi /usr/share/openmpi)
mapfile -t files < <(find "${plugins[@]}" -name '*.so' -o -name '*.so.[0-9]')
# In the root these are the root's: they belong to its loader.
own='/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util))\.so'
{
    echo "$mpi"
    ldd "$mpi" "${files[@]}" 2>/dev/null | awk '$3 ~ /^\// { print $3 }'
} | grep -Ev "$own" | sort -u | xargs cp -L -t "$folder/lib"

{
    printf '%s\n' --ro-bind "$folder/lib" /run/host-mpi --setenv LD_LIBRARY_PATH /run/host-mpi
    for place in "${plugins[@]}"; do printf '%s\n' --ro-bind-try "$place" "$place"; done
} >"$folder/options"
