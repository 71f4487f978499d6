# SPDX-License-Identifier: Apache-2.0
# Launches from a copy of a world that is kept, beside those that make their own. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

# A program of which starting takes next to no time.
musl-gcc -O2 -static -x c -o "$work/still" - <<<'int main(void) { return 0; }'
still=(--ro-bind "$work/still" /tmp/still)
world=benchmark-$$
nsrun_reusing=("$work/nsrun" --rootfs "$root" --reuse "$world" "${still[@]}")

race reuse --rounds "$rounds" \
    :: "plain exec, static" "$work/still" \
    :: "plain exec, dynamic" /bin/true \
    :: "nsrun, static" "${nsrun[@]}" "${still[@]}" -- /tmp/still \
    :: "nsrun --reuse, static" "${nsrun_reusing[@]}" -- /tmp/still \
    :: "bwrap --unshare-pid, static" "${bubblewrap_own_pids[@]}" "${still[@]}" /tmp/still \
    :: "nsrun, dynamic" "${nsrun[@]}" "${still[@]}" -- true \
    :: "nsrun --reuse, dynamic" "${nsrun_reusing[@]}" -- true \
    :: "bwrap --unshare-pid, dynamic" "${bubblewrap_own_pids[@]}" "${still[@]}" true \
    :: "nsrun --network none, dynamic" "${nsrun[@]}" "${still[@]}" --network none -- true \
    :: "nsrun --reuse --network none, dynamic" "$work/nsrun" --rootfs "$root" --reuse "$world-alone" \
    "${still[@]}" --network none -- true
race reuse-throughput --rounds "$(share_of_rounds 10)" --launches 20 --at-once 2 \
    :: "nsrun, static" "${nsrun[@]}" "${still[@]}" -- /tmp/still \
    :: "nsrun --reuse, static" "${nsrun_reusing[@]}" -- /tmp/still \
    :: "nsrun, dynamic" "${nsrun[@]}" "${still[@]}" -- true \
    :: "nsrun --reuse, dynamic" "${nsrun_reusing[@]}" -- true
"$work/nsrun" --stop "$world"
"$work/nsrun" --stop "$world-alone"

printf '\n## Prepared worlds\n\n'
report table reuse µs "nsrun, static" "nsrun, dynamic"
printf '\nTwo at a time:\n\n'
report table reuse-throughput launches/s "nsrun, static" "nsrun, dynamic"
for kind in static:0.4:0.3 dynamic:0.5:0.4; do
    IFS=: read -r program cold other <<<"$kind"
    target target reuse "nsrun --reuse, $program" "nsrun, $program" "$cold"
    target target reuse "nsrun --reuse, $program" "bwrap --unshare-pid, $program" "$other"
done
