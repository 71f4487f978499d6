#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Scripts/package.sh [--check ROOT] [DIRECTORY]: builds both commands, unless NSRUN and NSRUN_ROOTFS name them, and makes
# Debian packages of them, nsrun and nsrun-rootfs, in the directory or the current one, and prints their paths. The version is
# that of nsrun --version. The same sources and tools make the same bytes; the time in them is SOURCE_DATE_EPOCH, by default
# that of the commit. The maintainer is DEBFULLNAME <DEBEMAIL>, as dpkg's tools have it.
#
# With --check lintian looks at them, and they are installed in the root file system ROOT, which itself stays as it is; there
# they are tried as autopkgtest would (package/debian/tests), and removed again.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root=
if [[ ${1-} == --check ]]; then
    root=${2-}
    [[ -d $root ]] || fail "there is no rootfs $root" "usage: Scripts/package.sh [--check ROOT] [DIRECTORY]"
    shift 2
fi
directory=${1-.}
[[ -d $directory && -w $directory ]] || fail "you cannot write to $directory" "usage: Scripts/package.sh [--check ROOT] [DIRECTORY]"
directory=$(realpath "$directory")
time=${SOURCE_DATE_EPOCH-$(git -C "$project" log -1 --format=%ct 2>/dev/null || true)}
[[ $time ]] || fail "it is not known of when the sources are" "set SOURCE_DATE_EPOCH, in seconds since 1970"
maintainer="${DEBFULLNAME-nsrun maintainers} <${DEBEMAIL-maintainers@nsrun.invalid}>"

prepare_host "${build_packages[@]}" "${package_needs[@]}"
umask 022
nsrun=${NSRUN:-$(build_release)}
rootfs_tool=${NSRUN_ROOTFS:-$(build_rootfs_tool)}
version=$("$nsrun" --version)
version=${version##* }
# What comes before a release sorts before it.
version=${version/-/\~}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
tree=$stage/nsrun-$version
mkdir "$tree"
cp -r "$project/Scripts/package/debian" "$project/Scripts/package/apparmor" "$project/Documentation" "$tree"
cp "$project"/{README.md,SECURITY.md} "$tree"
sed -i "s/@MAINTAINER@/$maintainer/" "$tree/debian/control"
cat >"$tree/debian/changelog" <<END
nsrun ($version) unstable; urgency=medium

  * What users notice is in CHANGELOG.md of the sources.

 -- $maintainer  $(date --utc --rfc-email --date="@$time")
END
install_files "$tree/files" "$nsrun" "$rootfs_tool"
# What a shell reads and does not start has no interpreter.
sed -i '1{/^#!/d}' "$tree"/files/share/bash-completion/completions/*
# Nothing is built here: what must be installed to build it is known to dpkg-buildpackage.
(cd "$tree" && DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage --build=binary --no-sign >"$stage/log" 2>&1) || {
    cat "$stage/log" >&2
    fail "the packages cannot be made"
}
packages=("$stage"/*.deb)

check() {
    say "lintian"
    lintian --fail-on warning,error --allow-root "$stage"/*.changes >&2
    say "installing in $root"
    # shellcheck disable=SC2016 # the shell's inside
    "$nsrun" --rootfs "$root" --ephemeral --fake-root --ro-bind "$stage" /mnt -- sh -euc '
        dpkg --install /mnt/*.deb
        sh /mnt/*/debian/tests/launch
        # The profile is there where AppArmor knows user namespaces, and is none that it cannot read.
        profile=/etc/apparmor.d/nsrun
        [ -e "$profile" ] && has=yes || has=no
        [ -e /etc/apparmor.d/abi/4.0 ] && wants=yes || wants=no
        [ "$has" = "$wants" ] || { echo "the profile of AppArmor: $has, and not $wants"; exit 1; }
        if [ "$has" = yes ]; then apparmor_parser --skip-kernel-load --skip-cache "$profile"; fi
        dpkg --purge nsrun nsrun-rootfs
        left=$(find / -xdev \( -path /proc -o -path /mnt -o -path /home -o -path /.nsrun \) -prune -o -name "*nsrun*" -print)
        [ -z "$left" ] || { echo "left behind: $left"; exit 1; }
    ' >"$stage/log" 2>&1 || {
        cat "$stage/log" >&2
        fail "the packages do not do in $root"
    }
}
[[ -z $root ]] || check
for file in "${packages[@]}"; do
    install -m 644 -t "$directory" "$file"
    echo "$directory/$(basename "$file")"
done
