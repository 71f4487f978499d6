# SPDX-License-Identifier: Apache-2.0
# Making a rootfs: from a tar, from Debian packages, from a mirror. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

# mmdebstrap's user namespace does not map who calls it, and must get in all the same.
made=$work/made
chmod 755 "$work"
mkdir -m 1777 "$made"
# What the others make is not always taken for a rootfs.
forget="[ ! -e '$made/new' ] || '$work/nsrun-rootfs' remove --force '$made/new' 2>/dev/null || rm -rf '$made/new'"

# What a user may read of the rootfs: one that root made has files that only root may.
tar -c -C "$root" --ignore-failed-read --exclude=./dev . >"$work/root.tar" 2>/dev/null || true
race import --rounds "$(share_of_rounds 30)" --warm-up 1 --before "$forget" \
    :: "nsrun-rootfs import" "$work/nsrun-rootfs" import --quiet "$work/root.tar" "$made/new" \
    :: "tar -x" sh -c "mkdir '$made/new' && tar -xf '$work/root.tar' -C '$made/new'"

"$project/Examples/debian-launcher/download.sh" "$work/apt" qemu-system-arm >&2
packages=("$work"/apt/archives/*.deb)
# shellcheck disable=SC2016 # expanded by the inner shell
race unpack --rounds "$(share_of_rounds 30)" --warm-up 1 --before "$forget" \
    :: "nsrun-rootfs unpack" "$work/nsrun-rootfs" unpack --quiet "$made/new" "${packages[@]}" \
    :: "dpkg-deb -x, one by one" sh -ec 'for file; do dpkg-deb -x "$file" "$0"; done' \
    "$made/new" "${packages[@]}"

# The mirrors and the proxy of apt's own configuration, which nsrun-rootfs takes by itself.
# shellcheck disable=SC2016 # apt-get expands the fields
mapfile -t mirrors < <(
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|//p' | sort -u
)
proxy=$(apt-config dump --format '%F "%v";%n' Acquire::http::Proxy Acquire::https::Proxy)
race debian --rounds "$(share_of_rounds 100)" --warm-up 0 --before "$forget" \
    :: "nsrun-rootfs debian" "$work/nsrun-rootfs" debian --quiet "$suite" "$made/new" \
    :: "mmdebstrap --mode=unshare" mmdebstrap --quiet --mode=unshare --variant=minbase \
    ${proxy:+--aptopt="$proxy"} --aptopt='Acquire::Check-Valid-Until "false"' \
    "$suite" "$made/new" "${mirrors[@]}"
sh -c "$forget"

printf '\n## Making a rootfs\n\n'
printf 'A tar of %s MB:\n\n' "$(($(stat -c %s "$work/root.tar") / 1000000))"
report table import ms "tar -x"
printf '\n%s packages:\n\n' "${#packages[@]}"
report table unpack ms "dpkg-deb -x, one by one"
printf '\nDebian %s, minbase:\n\n' "$suite"
report table debian ms "mmdebstrap --mode=unshare"
target target import "nsrun-rootfs import" "tar -x" 1.3
target target unpack "nsrun-rootfs unpack" "dpkg-deb -x, one by one" 1
target target debian "nsrun-rootfs debian" "mmdebstrap --mode=unshare" 1.2
