#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs with limits where there are control groups of version 2 and nothing else: in QEMU without KVM, on Debian's kernels. A
# line for each thing that limits/checks tries, and how long a launch takes; fails where one fails.
#
#   limits.sh              the newest cloud kernel of each suite in $SUITES, in each way in $WAYS
#   limits.sh PACKAGE...   these kernels, of whatever suite has them
#   KEEP=DIR limits.sh     what the guests print is kept there
#
# delegated    a machine without a service manager, where root has given a user a group of his own
# systemd      a session on a machine with systemd, whose manager gives scopes
#
# Only root can make a disk for that. Packages are kept in the account's ~/.cache/nsrun-tests/kernels, a Debian with systemd
# in its ~/.cache/nsrun-tests/limits. Finds the commands in NSRUN and NSRUN_ROOTFS, else installed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/kernels/lib.sh"

: "${SUITES:=bullseye bookworm sid}" "${WAYS:=delegated systemd}"
need_root_on_x86 "make a disk for other kernels" "other kernels are tried"
prepare_guests
nsrun=$(type -P "${NSRUN:-nsrun}")
rootfs_tool=$(type -P "${NSRUN_ROOTFS:-nsrun-rootfs}")
home=$(account_home)
kept=$home/.cache/nsrun-tests/kernels
debian=$home/.cache/nsrun-tests/limits
mkdir -p "$kept/debs"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
results=${KEEP:-$work/out}
mkdir -p "$results"
read -ra suites <<<"$SUITES"
use_suites "$work" "${suites[@]}"
# Root's own work: there is nobody else who could write there.
apt+=(-o APT::Sandbox::User=root)

# A Debian with systemd, as the guests' root, and as a rootfs in it.
make_tree() {
    local tree=$1
    [[ -d $debian ]] || unprivileged "$rootfs_tool" debian "$suite" "$debian" \
        --include systemd-sysv,libpam-systemd,dbus,dbus-user-session
    cp -a "$debian" "$tree"
    mkdir -p "$tree/opt/tests" "$tree/home/tester/rootfs" "$tree/var/lib/systemd/linger"
    cp -a "$debian"/{bin,etc,lib,lib64,sbin,usr} "$tree/home/tester/rootfs"
    mkdir -p "$tree/home/tester/rootfs"/{dev,proc,run,sys,tmp,var/tmp}
    cp "$nsrun" "$(type -P busybox)" "$tree/opt/tests"
    echo 'tester:x:1000:1000:a tester:/home/tester:/bin/bash' >>"$tree/etc/passwd"
    echo 'tester:x:1000:' >>"$tree/etc/group"
    echo 'tester:*:20000:0:99999:7:::' >>"$tree/etc/shadow"
    cat >"$tree/etc/systemd/system/checks.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/opt/tests/guest
END
    mkdir -p "$tree/etc/systemd/system/default.target.wants"
    ln -s ../checks.service "$tree/etc/systemd/system/default.target.wants"
    ln -sf /lib/systemd/system/multi-user.target "$tree/etc/systemd/system/default.target"
    chown -Rh 0:0 "$tree"
    chown -Rh 1000:1000 "$tree/home/tester"
    install -m 755 -t "$tree/opt/tests" "$project/Scripts/matrix/limits/guest" "$project/Scripts/matrix/limits/checks"
}

# boot KERNEL START WAY OUT
boot() {
    timeout --signal=KILL 900 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1024 -display none -no-reboot \
        -nodefaults -serial "file:$4.log" -serial "file:$4.checks" -kernel "$1" -initrd "$2" \
        -drive "file=$work/disk,format=raw,if=virtio,snapshot=on" \
        -append "console=ttyS0 loglevel=3 panic=-1 way=$3" </dev/null >"$4.qemu" 2>&1 || true
}

say "a disk for the guests"
make_tree "$work/tree"
mke2fs -q -t ext4 -d "$work/tree" "$work/disk" 3G
rm -rf "$work/tree"
apt-get "${apt[@]}" update >&2
if (($# == 0)); then mapfile -t packages < <(newest); else packages=("$@"); fi
status=0
for package in "${packages[@]}"; do
    rm -rf "$work/kernel"
    mkdir "$work/kernel"
    unpack "$package" "$work/kernel"
    make_start "$work/kernel" "$work/initrd"
    kernel=$(compgen -G "$work/kernel/boot/vmlinuz*" || find "$work/kernel" -name 'vmlinuz*' | sed 1q)
    for way in $WAYS; do
        out=$results/$package.$way
        say "$package, $way"
        boot "$kernel" "$work/initrd" "$way" "$out"
        tr -d '\r' <"$out.checks"
        # The last of them says that all were reached.
        if grep -aq ^FAIL "$out.checks" || ! grep -aq 'ok doctor says so' "$out.checks"; then
            status=1
            say "FAILED: $package, $way"
            tail -n 15 "$out.log" >&2
        fi
    done
done
exit "$status"
