# SPDX-License-Identifier: Apache-2.0
# A root that is one file: what each way to pack it costs, and how that starts. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

images=$work/images
mkdir "$images"

# pack COMPRESSION KIB: the rootfs as a squashfs; its name is printed.
pack() {
    local file=$images/$1-$2.squashfs
    "$work/nsrun-rootfs" export --quiet --compression "$1" --block-size $(($2 << 10)) "$root" "$file"
    echo "$file"
}

packed=()
packings=(zstd:64 lz4:64 gzip:64)
if ((rounds > 20)); then
    packings=({zstd,lz4,gzip}:{16,32,64,128,256})
fi
for packing in "${packings[@]}"; do
    file=$(pack "${packing%:*}" "${packing#*:}")
    packed+=(
        :: "${packing%:*}, ${packing#*:} KiB, $(($(stat -c %s "$file") / 1000000)) MB"
        "$work/nsrun" --rootfs "$file" true
    )
done
race packings --rounds "$(share_of_rounds 10)" "${packed[@]}"

image=$images/default.squashfs
"$work/nsrun-rootfs" export --quiet "$root" "$image"
race image --rounds "$(share_of_rounds 3)" \
    :: "nsrun --rootfs, a directory" "${nsrun[@]}" true \
    :: "nsrun --rootfs, a squashfs" "$work/nsrun" --rootfs "$image" true \
    :: "nsrun --share-pid, a squashfs" "$work/nsrun" --rootfs "$image" --share-pid true \
    :: "ch-run, a directory" "${ch_run[@]}" true \
    :: "ch-run, a squashfs" ch-run "$image" -- true
race many --rounds "$(share_of_rounds 60)" --warm-up 1 --launches 128 --at-once 128 \
    :: "nsrun --rootfs, a directory" "${nsrun[@]}" true \
    :: "nsrun --rootfs, a squashfs" "$work/nsrun" --rootfs "$image" true \
    :: "nsrun --share-pid, a squashfs" "$work/nsrun" --rootfs "$image" --share-pid true \
    :: "ch-run, a directory" "${ch_run[@]}" true \
    :: "ch-run, a squashfs" ch-run "$image" -- true
rm -r "$images"

printf '\n## A root that is one file\n\nOf a rootfs of %s MB, one launch:\n\n' \
    "$(($(du -sk "$root" 2>/dev/null | cut -f1) / 1000))"
report table packings ms
printf '\nWith the packing that is the default of nsrun-rootfs export:\n\n'
report table image ms "ch-run, a squashfs"
printf '\n128 at once, a launch:\n\n'
report table many ms "ch-run, a squashfs"
target target image "nsrun --rootfs, a squashfs" "ch-run, a squashfs" 1
target target image "nsrun --share-pid, a squashfs" "ch-run, a squashfs" 1
target target many "nsrun --share-pid, a squashfs" "ch-run, a squashfs" 1
