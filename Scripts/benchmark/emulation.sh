# SPDX-License-Identifier: Apache-2.0
# What a record in a binfmt_misc of the run's own adds to a launch. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

race emulation --rounds "$rounds" \
    :: "nsrun --rootfs" "${nsrun[@]}" true \
    :: "nsrun --rootfs --arch armhf" "${nsrun[@]}" --arch armhf -- true

printf '\n## Registering an emulator\n\n'
report table emulation µs "nsrun --rootfs"
target excess emulation "nsrun --rootfs --arch armhf" "nsrun --rootfs" µs 300
