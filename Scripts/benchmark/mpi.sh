# SPDX-License-Identifier: Apache-2.0
# Messages between two ranks: as on the host, and below nsrun with --join. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

"$work/nsrun-rootfs" show mpi >/dev/null 2>&1 ||
    "$work/nsrun-rootfs" debian --quiet "$suite" mpi --include "$mpi_packages"
pingpong=$project/Examples/mpi/pingpong.c
mpicc.openmpi -O2 -o "$work/outside" "$pingpong"
cp "$pingpong" "$work"
(cd "$work" && ./nsrun --preset hpc --rootfs mpi -- mpicc.openmpi -O2 -o inside pingpong.c)

sizes=(8 65536 4194304)
python3 "$parts/pingpong.py" --rounds "$(share_of_rounds 8)" --sizes "${sizes[*]}" "$work/mpi" \
    :: "on the host" mpirun.openmpi --oversubscribe -n 2 "$work/outside" \
    :: "--join" mpirun.openmpi --oversubscribe -n 2 \
    "$work/nsrun" --preset hpc --rootfs mpi --join auto -- "$work/inside"

printf '\n## Half a round trip between two ranks\n\n'
report table mpi ns
for size in "${sizes[@]}"; do
    target target mpi "--join, $size bytes" "on the host, $size bytes" 1.05
done
