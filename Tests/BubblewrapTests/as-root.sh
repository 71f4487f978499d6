#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What bubblewrap promises root: no user namespace that was not asked for, the capabilities it has,
# less those dropped, and a /proc that cannot change the kernel. Run by root, with the binary in
# NSRUN_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
ln -s "$(realpath "$NSRUN_TEST_BINARY")" "$work/bwrap"

inside() { "$work/bwrap" --bind / / --proc /proc --dev /dev "$@"; }

capabilities=(grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status)
effective() { sed -n 's/^CapEff:\t//p' /proc/self/status; }
all=$(effective)
without() { printf '%016x' $((16#$all & ~$1)); }
kill_and_fowner=$((1 << 5 | 1 << 3))
show='sed -n s/^CapEff:.//p /proc/self/status'

expect "$(readlink /proc/self/ns/user)" "no user namespace is implied" \
    inside readlink /proc/self/ns/user
expect "$("${capabilities[@]}")" "capabilities are kept" inside "${capabilities[@]}"
expect "$("${capabilities[@]}")" "capabilities are kept by pid 1" \
    inside --unshare-pid --as-pid-1 "${capabilities[@]}"
expect "$("${capabilities[@]}")" "capabilities are kept below pid 1" \
    inside --unshare-pid "${capabilities[@]}"
# shellcheck disable=SC2086 # words
expect "$(without "$kill_and_fowner")" "--cap-drop drops what it names" \
    inside --cap-drop CAP_KILL --cap-drop CAP_FOWNER $show
# shellcheck disable=SC2086
expect 0000000000000000 "--cap-drop ALL drops everything" inside --cap-drop ALL $show
# shellcheck disable=SC2086
expect 0000000000000020 "--cap-add gives one back" inside --cap-drop ALL --cap-add CAP_KILL $show
sets() { inside "$@" sed -n 's/^Cap\(Inh\|Eff\|Amb\):\t//p' /proc/self/status | uniq; }
for namespaces in --unshare-user --unshare-all; do
    expect "$all" "$namespaces leaves root its capabilities" \
        inside "$namespaces" sed -n 's/^CapEff:\t//p' /proc/self/status
    expect "$(without 32)" "$namespaces: what --cap-drop leaves is in every set" \
        sets "$namespaces" --cap-drop CAP_KILL
done
expect "$(without 32)" "what --cap-drop leaves is in every set" sets --cap-drop CAP_KILL
expect 0000000000000020 "what --cap-add names is in every set" sets --cap-drop ALL --cap-add CAP_KILL
# shellcheck disable=SC2086
expect 0000000000000000 "another id keeps nothing by itself" inside --unshare-user --uid 5 $show
[[ $(inside --unshare-user readlink /proc/self/ns/user) != "$(readlink /proc/self/ns/user)" ]]
passed=$((passed + 1))

# shellcheck disable=SC2016 # expanded inside
writable='for f in sys/kernel/hostname sysrq-trigger irq bus; do
    [ ! -e /proc/$f ] || ! [ -w /proc/$f ] || echo "$f is writable"; done'
expect "" "/proc protects the kernel's settings" inside --unshare-pid sh -c "$writable"

expect 0 "ids are root's" inside id -u
expect 3 "the status is the command's" sh -c "'$work/bwrap' --bind / / sh -c 'exit 3'; echo \$?"
expect inside "--hostname names the new namespace" \
    inside --unshare-uts --hostname inside uname -n
expect "$(uname -n)" "and the host keeps its name" uname -n

echo "$passed checks passed as root"
