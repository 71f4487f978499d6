# SPDX-License-Identifier: Apache-2.0
# A launch with 2,000 binds, each of a directory onto one that is made for it. Sourced by
# benchmark.sh.
# shellcheck shell=bash disable=SC2154

binds=()
for number in {1..2000}; do
    binds+=(--ro-bind "$root/usr/share" "/tmp/$number")
done

race binds --rounds "$(share_of_rounds 60)" \
    :: "nsrun, 2,000 binds" "${nsrun[@]}" "${binds[@]}" true \
    :: "bwrap, 2,000 binds" "${bubblewrap_own_pids[@]}" "${binds[@]}" true

printf '\n## 2,000 binds\n\n'
report table binds ms "bwrap, 2,000 binds"
target target binds "nsrun, 2,000 binds" "bwrap, 2,000 binds" 0.1
