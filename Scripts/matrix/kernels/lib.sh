# SPDX-License-Identifier: Apache-2.0
# Shared by kernels.sh and limits.sh: Debian's kernels, and what a guest in QEMU starts from. Sourced after lib.sh, with
# `kept` a folder for packages, `work` one for the rest, and `apt` of use_suites.
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by the script

# What is needed on the host.
prepare_guests() {
    evidence+=([busybox-static]=busybox [cpio]=cpio [e2fsprogs]=mke2fs [kmod]=depmod [qemu-system-x86]=qemu-system-x86_64
        [xz-utils]=xz [zstd]=zstd)
    prepare_host busybox-static cpio debian-archive-keyring e2fsprogs kmod qemu-system-x86 xz-utils zstd
}

depends_of() {
    apt-cache "${apt[@]}" show "$1" | sed -n 's/^Depends: //p' | sed 1q | tr ',|' '\n' | sed 's/ (.*//; s/ //g'
}

# The newest cloud kernel of each suite, by its package.
newest() {
    local name version
    for name in $SUITES; do
        version=$(apt-cache "${apt[@]}" madison linux-image-cloud-amd64 | awk -F'|' -v s="$name" '$3 ~ s"/" {print $2}' |
            tr -d ' ' | sed 1q)
        apt-cache "${apt[@]}" show "linux-image-cloud-amd64=$version" | sed -n 's/^Depends: //p' | tr ',|' '\n' |
            grep -oE 'linux-image-[0-9][^ ]*' | sed 1q
    done
}

# unpack PACKAGE FOLDER: from Linux 7 on an image is an empty package before those with the kernel and its modules.
unpack() {
    local name file
    for name in "$1" $(depends_of "$1" | grep -E '^linux-(base|binary|modules)-[0-9]' || true); do
        file=$(compgen -G "$kept/debs/${name}_*.deb" || true)
        [[ -n $file ]] || (cd "$kept/debs" && apt-get "${apt[@]}" download "$name" >&2)
        dpkg -x "$(compgen -G "$kept/debs/${name}_*.deb")" "$2"
    done
    [[ -d $2/lib ]] || ln -s usr/lib "$2/lib"
}

# make_start FOLDER OUT: an initramfs that loads what the tests use, and goes on to the disk.
make_start() {
    local start=$work/start version module file
    rm -rf "$start"
    mkdir -p "$start"/{bin,modules,proc,sys,dev,disk}
    cp "$(type -P busybox)" "$start/bin/busybox"
    install -m 755 "$project/Scripts/matrix/kernels/init" "$start/init"
    version=$(basename "$1"/lib/modules/*)
    depmod -b "$1" "$version"
    # One that cannot be found is in the kernel, or not there at all, which the guest finds out.
    for module in virtio_pci virtio_blk ext4 overlay fuse tun binfmt_misc; do
        modprobe --dirname "$1" --set-version "$version" --show-depends "$module" 2>/dev/null || true
    done | awk '/^insmod/ && !seen[$2]++ {print $2}' | while read -r file; do
        module=$(basename "${file%%.ko*}").ko
        case $file in
        *.xz) xz -dc "$file" ;;
        *.zst) zstd -dqc "$file" ;;
        *) cat "$file" ;;
        esac >"$start/modules/$module"
        echo "$module" >>"$start/modules/order"
    done
    (cd "$start" && find . | cpio --quiet -o -H newc -R 0:0) >"$2"
}
