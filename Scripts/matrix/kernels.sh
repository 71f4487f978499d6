#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs launch tests, as Scripts/test.sh has built them, on other kernels of Debian's: in QEMU without KVM, as an ordinary
# user of a small Debian, and prints how many passed on each. What a kernel lacks, and what fails there for it, stands in
# kernels/lacking; what fails and is not there fails this script, and so does what is there and passes.
#
#   kernels.sh                     the newest cloud kernel of each suite in $SUITES, in each way in $BOOTS
#   kernels.sh PACKAGE...          these: linux-image-6.1.0-40-cloud-amd64, of whatever suite has it
#   FILTER=REGEX kernels.sh        other tests than those it has by itself
#   KEEP=DIR kernels.sh            what the guests print is kept there
#
# plain        the root is a file system on a disk
# initramfs    the root is the initramfs itself, as on nodes without a disk
# apparmor     AppArmor is on
#
# Only root can make such a disk. Packages are kept in the account's ~/.cache/nsrun-tests/kernels. Finds nsrun in NSRUN,
# else installed; the tests in TESTS, else in the account's copy of the project; a Debian in ROOTFS, else the account's.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/kernels/lib.sh"

: "${SUITES:=bullseye bookworm trixie sid}" "${BOOTS:=plain initramfs apparmor}"
# Those that need nothing on the host but a shell.
: "${FILTER:=LaunchTests\.(AccountTests|LayerTests|NamespaceTests|NestingTests|PidOneTests|RootfsViewTests)}"
need_root_on_x86 "make a disk for other kernels" "other kernels are tried"
prepare_guests

home=$(account_home)
nsrun=$(type -P "${NSRUN:-nsrun}")
tests=${TESTS:-$home/nsrun/.build/debug/nsrunPackageTests.xctest}
debian=${ROOTFS:-$home/.local/share/nsrun/rootfs/$suite}
kept=$home/.cache/nsrun-tests/kernels
mkdir -p "$kept/debs"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lacking=$project/Scripts/matrix/kernels/lacking

read -ra suites <<<"$SUITES"
use_suites "$work" "${suites[@]}"
# Root's own work: there is nobody else who could write there.
apt+=(-o APT::Sandbox::User=root)

# The root that the guests have: a small Debian with the tests in it, and that Debian once more as a rootfs.
make_tree() {
    local tree=$1 library
    cp -a "$debian" "$tree"
    mkdir -p "$tree/opt/tests/lib" "$tree/home/tester" "$tree/var/lib/tester"
    cp "$tests" "$tree/opt/tests/tests"
    cp "$nsrun" "$tree/opt/tests/nsrun"
    cp "$(type -P busybox)" "$tree/opt/tests/busybox"
    while read -r library; do cp -L "$library" "$tree/opt/tests/lib"; done < <(ldd "$tests" | grep -oE '/[^ ]+')
    cp -a "$debian" "$tree/home/tester/rootfs"
    echo 'tester:x:1000:1000:a tester:/home/tester:/bin/bash' >>"$tree/etc/passwd"
    echo 'tester:x:1000:' >>"$tree/etc/group"
    echo 'tester:100000:65536' | tee "$tree/etc/subuid" >"$tree/etc/subgid"
    echo 127.0.0.1 localhost >"$tree/etc/hosts"
    chmod 755 "$tree/opt/tests"/*
    chown -Rh 0:0 "$tree"
    chown -Rh 1000:1000 "$tree/home/tester"
    install -m 755 "$project/Scripts/matrix/kernels/guest" "$tree/opt/tests/guest"
}

# boot NAME KERNEL START WAY: runs the guest, whose results come over its second serial line.
boot() {
    local way=$4 more=() out=$results/$1.$4
    case $way in
    plain) ;;
    apparmor) more=(apparmor=1 "lsm=landlock,yama,apparmor") ;;
    # All in the initramfs: the tree is appended, and its own init is the guest.
    initramfs) cat "$3" "$work/tree.cpio" >"$work/whole" ;;
    *) fail "there is no boot $way" "plain, initramfs or apparmor" ;;
    esac
    local start=$3 memory=1024
    if [[ $way == initramfs ]]; then start=$work/whole memory=4096; fi
    timeout --signal=KILL 1500 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m "$memory" -display none -no-reboot \
        -nodefaults -serial "file:$out.log" -serial "file:$out.xml" -kernel "$2" -initrd "$start" \
        -drive "file=$work/disk,format=raw,if=virtio,snapshot=on" \
        -append "console=ttyS0 quiet loglevel=1 panic=-1 way=$way filter=$(base64 -w0 <<<"$FILTER") ${more[*]-}" \
        </dev/null >"$out.qemu" 2>&1 || true
}

# Where it can be looked at afterwards, if it is to be kept.
results=${KEEP:-$work/out}
mkdir -p "$results"
say "a disk for the guests"
make_tree "$work/tree"
mke2fs -q -t ext4 -d "$work/tree" "$work/disk" 2G
if [[ $BOOTS == *initramfs* ]]; then (cd "$work/tree" && find . | cpio --quiet -o -H newc) >"$work/tree.cpio"; fi
rm -rf "$work/tree"
apt-get "${apt[@]}" update >&2
if (($# == 0)); then mapfile -t packages < <(newest); else packages=("$@"); fi
for package in "${packages[@]}"; do
    say "$package"
    folder=$work/kernel
    rm -rf "$folder"
    mkdir "$folder"
    unpack "$package" "$folder"
    make_start "$folder" "$work/initrd"
    for way in $BOOTS; do
        boot "$package" "$(compgen -G "$folder/boot/vmlinuz*" || find "$folder" -name 'vmlinuz*' | sed 1q)" "$work/initrd" "$way"
    done
done
python3 -B "$project/Scripts/matrix/kernels/table.py" "$lacking" "$results"
