#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# On demand: makes a root of 600 MB, once.
# Two ranks of an MPI program, below nsrun as on the host: joined, not joined, and with the host's MPI in a
# root that has none. Exits with 0 if messages arrive where they should, and do not where they cannot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
plain=${ROOTFS:-bookworm}

"$tool" show mpi >/dev/null 2>&1 ||
    "$tool" debian bookworm mpi --include openmpi-bin,libopenmpi-dev,gcc,libc6-dev

mkdir -p .build
cp pingpong.c .build
cd .build
job=("$nsrun" --preset hpc --rootfs mpi)
"${job[@]}" -- mpicc.openmpi -O2 -o inside pingpong.c
mpicc.openmpi -O2 -o outside pingpong.c

sizes=(8 65536 4194304)
# ranks COMMAND...: two of them, by this host's mpirun, on however few processors.
ranks() { timeout --kill-after=5 "${limit:-120}" mpirun.openmpi --oversubscribe -n 2 "$@"; }

expect_all() {
    tee log
    if [[ $(cut -c 1-8 log | tr -d ' ' | tail -n 3 | tr '\n' ' ') != "${sizes[*]} " ]]; then
        echo "run.sh: messages are missing" >&2
        exit 1
    fi
}

echo "On the host (bytes, µs, MB/s):"
ranks ./outside "${sizes[@]}" | expect_all
echo "In a root of its own, --join auto:"
ranks "${job[@]}" --join auto -- ./inside "${sizes[@]}" | expect_all
echo "The host's MPI in a root without one, --join auto:"
../host-mpi.sh host-mpi
ranks "$nsrun" --preset hpc --rootfs "$plain" --join auto @host-mpi/options -- ./outside \
    "${sizes[@]}" | expect_all
echo "Not joined:"
if limit=15 ranks "${job[@]}" -- ./inside "${sizes[@]}" 2>errors; then
    echo "run.sh: large messages arrive without --join" >&2
    exit 1
fi
echo "and no further in 15 seconds"
