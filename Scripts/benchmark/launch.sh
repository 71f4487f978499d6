# SPDX-License-Identifier: Apache-2.0
# One launch of true, from start to end. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

race launch --rounds "$rounds" \
    :: "plain exec" "${plain[@]}" /bin/true \
    :: "C floor" "${floor[@]}" true \
    :: "nsrun --rootfs" "${nsrun[@]}" true \
    :: "bwrap --unshare-pid" "${bubblewrap_own_pids[@]}" true \
    :: "C floor --in-place" "${floor_in_place[@]}" true \
    :: "nsrun --rootfs --share-pid" "${nsrun_in_place[@]}" true \
    :: "nsrun --preset hpc" "${nsrun_in_job[@]}" true \
    :: "bwrap" "${bubblewrap[@]}" true \
    :: "ch-run" "${ch_run[@]}" true \
    :: "unshare --root" "${unshare[@]}" true

printf '\n## One launch\n\n'
report table launch µs "C floor" "bwrap --unshare-pid"
target target launch "nsrun --rootfs" "bwrap --unshare-pid" 0.6
target target launch "nsrun --rootfs" "C floor" 1.4
target target launch "nsrun --rootfs --share-pid" ch-run 0.7
target target launch "nsrun --preset hpc" ch-run 0.7
target target launch "nsrun --preset hpc" "C floor --in-place" 1.3
