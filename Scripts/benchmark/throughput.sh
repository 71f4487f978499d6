# SPDX-License-Identifier: Apache-2.0
# Launches per second with two under way at a time. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

race throughput --rounds "$(share_of_rounds 20)" --launches 40 --at-once 2 \
    :: "plain exec" "${plain[@]}" /bin/true \
    :: "C floor" "${floor[@]}" true \
    :: "nsrun --rootfs" "${nsrun[@]}" true \
    :: "nsrun --rootfs --share-pid" "${nsrun_in_place[@]}" true \
    :: "bwrap --unshare-pid" "${bubblewrap_own_pids[@]}" true \
    :: "bwrap" "${bubblewrap[@]}" true \
    :: "ch-run" "${ch_run[@]}" true \
    :: "unshare --root" "${unshare[@]}" true

printf '\n## Two at a time\n\n'
report table throughput launches/s
