# SPDX-License-Identifier: Apache-2.0
# The very same arguments for Debian's bwrap and for nsrun under that name. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

mkdir -p "$work/as"
ln -sf ../nsrun "$work/as/bwrap"

usr=(
    --ro-bind "$root/usr" /usr --symlink usr/bin /bin --symlink usr/lib /lib
    --symlink usr/lib64 /lib64
)
processes=("${usr[@]}" --unshare-pid --proc /proc --dev /dev --tmpfs /tmp)
everything=("${processes[@]}" --unshare-all --die-with-parent --new-session)

race bwrap --rounds "$(share_of_rounds 2)" \
    :: "bwrap, files" bwrap "${usr[@]}" true \
    :: "nsrun as bwrap, files" "$work/as/bwrap" "${usr[@]}" true \
    :: "bwrap, files and pids" bwrap "${processes[@]}" true \
    :: "nsrun as bwrap, files and pids" "$work/as/bwrap" "${processes[@]}" true \
    :: "bwrap, everything" bwrap "${everything[@]}" true \
    :: "nsrun as bwrap, everything" "$work/as/bwrap" "${everything[@]}" true

printf '\n## The same arguments for bwrap and for nsrun as bwrap\n\n'
report table bwrap µs "bwrap, files" "bwrap, files and pids" "bwrap, everything"
target target bwrap "nsrun as bwrap, files and pids" "bwrap, files and pids" 1
