# SPDX-License-Identifier: Apache-2.0
# Peak memory of each launcher. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

python3 "$parts/memory.py" --rounds 3 --peak "$work/peak" "$work/memory" \
    :: "C floor" "${floor[@]}" \
    :: "nsrun --rootfs" "${nsrun[@]}" \
    :: "nsrun --rootfs --share-pid" "${nsrun_in_place[@]}" \
    :: "bwrap --unshare-pid" "${bubblewrap_own_pids[@]}" \
    :: "bwrap" "${bubblewrap[@]}" \
    :: "ch-run" "${ch_run[@]}" \
    :: "unshare --root" "${unshare[@]}"

printf '\n## Peak memory\n\n'
report table memory KiB
cat <<END

All processes of the launcher together, without the command. Where the command replaces the
launcher, the launcher's peak before that, or that of true if it is higher, which is
$("$work/peak" true) KiB.
END
target limit memory "nsrun --rootfs" KiB 4096
target limit memory "nsrun --rootfs --share-pid" KiB 4096
