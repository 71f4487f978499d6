#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# QEMU for ARM, from Debian's packages to a running program, without root, without installing and
# without patching anything. Exits with 0 if everything printed is what should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
source=$PWD
mkdir -p .build
cd .build

# expect TEXT...: shows what comes in, and compares.
expect() {
    local seen
    seen=$(cat)
    printf '%s\n' "$seen"
    diff <(printf '%s\n' "$@") <(printf '%s\n' "$seen") || {
        echo "run.sh: that was not expected" >&2
        exit 1
    }
}

# What -L help prints: where the program, which lies in the directory $1, looks for its data.
data_of() { printf '%s\n' "$1/../share/qemu" "$1/../share/seabios" "$1/../lib/ipxe/qemu"; }

echo "Packages, into a folder:"
compgen -G 'apt/archives/*.deb' >/dev/null || "$source/download.sh" apt qemu-system-arm
packages=(apt/archives/*.deb)
echo "${#packages[@]} packages"
rm -rf launcher qemu
"$tool" unpack --quiet ./qemu "${packages[@]}"

echo "Launched:"
"$nsrun" --rootfs ./qemu -- qemu-system-aarch64 -L help |
    expect "$(data_of /usr/bin)"

echo "Started through its ELF interpreter:"
libraries=$(compgen -G "$PWD/qemu/lib/*-linux-gnu")
more=$PWD/qemu/usr/lib/${libraries##*/}
by_interpreter=(
    "$libraries"/ld-linux*
    --library-path "$libraries:$more:$more/pulseaudio"
    qemu/usr/bin/qemu-system-aarch64
)
"${by_interpreter[@]}" -L help | expect "$(data_of "$libraries")"

# A device in a module, a board with a ROM file: what each way to start finds of them.
find_parts() {
    "$@" -device virtio-gpu-pci,help 2>&1 | head -n 1
    if echo quit | "$@" -M npcm750-evb -S -display none -serial null -monitor stdio >found 2>&1; then
        echo "board starts"
    else
        sed -n 's/.*qemu-system-aarch64: //p' found
    fi
}
echo "Its modules and ROM files, launched:"
find_parts "$nsrun" --rootfs ./qemu -- qemu-system-aarch64 |
    expect "virtio-gpu-pci options:" "board starts"
echo "Through the interpreter:"
find_parts "${by_interpreter[@]}" |
    expect "qemu-system-aarch64: -device virtio-gpu-pci,help: Device 'virtio-gpu-pci' not found" \
        "Could not find ROM image 'npcm7xx_bootrom.bin'"

echo "Two at once, with files of the same names:"
machines=()
trap '((${#machines[@]} == 0)) || kill "${machines[@]}"' EXIT
for name in first second; do
    # In place, so that its process is the one started here.
    "$nsrun" --rootfs ./qemu --share-pid -- qemu-system-aarch64 -M none -S -display none \
        -serial null -monitor unix:/tmp/monitor,server,nowait -pidfile /tmp/pid 2>"$name.log" &
    machines+=($!)
done
look() {
    local seen=/proc/$1/root/tmp
    until [[ -s $seen/pid && -S $seen/monitor ]]; do
        kill -0 "$1"
        sleep 0.05
    done
    [[ $(<"$seen/pid") == "$1" ]] && echo "alive as $(readlink "/proc/$1/exe"), its files are its own"
}
alive="alive as /usr/bin/qemu-system-aarch64, its files are its own"
for machine in "${machines[@]}"; do look "$machine"; done | expect "$alive" "$alive"
kill "${machines[0]}"
wait "${machines[0]}" || true
machines=("${machines[1]}")
look "${machines[0]}" | expect "$alive"

echo "As a build system calls it, through a forest of symbolic links, and through hard links:"
mkdir -p launcher/runfiles launcher/hard
ln -s "$nsrun" launcher/runfiles/nsrun
ln -s "$source/qemu.args" launcher/runfiles/qemu.args
ln -s "$PWD/qemu" launcher/runfiles/qemu
cp "$nsrun" launcher/nsrun
ln launcher/nsrun launcher/hard/nsrun
cp "$source/qemu.args" launcher
ln launcher/qemu.args launcher/hard/qemu.args
cp --archive --link qemu launcher/hard/qemu
for forest in runfiles hard; do
    (cd "launcher/$forest" && ./nsrun @qemu.args -L help)
done | expect "$(data_of /usr/bin)" "$(data_of /usr/bin)"

echo "Not a byte of the program was changed:"
package=(apt/archives/qemu-system-arm_*.deb)
from_package=$(dpkg-deb --fsys-tarfile "${package[0]}" |
    tar --extract --to-stdout ./usr/bin/qemu-system-aarch64 | sha256sum)
cmp <(echo "$from_package") <(sha256sum <qemu/usr/bin/qemu-system-aarch64)
echo "${from_package%% *}" | cut -c 1-16
