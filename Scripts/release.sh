#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Scripts/release.sh [DIRECTORY]: builds both commands and makes nsrun-VERSION-ARCHITECTURE.tar.gz of them, their manual
# pages, completions and documents, in the directory or the current one, and prints its path. It runs on any Linux of
# the architecture without a compiler. The same sources and tools make the same bytes; the time in it is
# SOURCE_DATE_EPOCH, by default that of the commit (reproducible-builds.org).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

directory=${1-.}
[[ -d $directory && -w $directory ]] || fail "you cannot write to $directory" "usage: Scripts/release.sh [DIRECTORY]"
time=${SOURCE_DATE_EPOCH-$(git -C "$project" log -1 --format=%ct 2>/dev/null || true)}
[[ $time ]] || fail "it is not known of when the sources are" "set SOURCE_DATE_EPOCH, in seconds since 1970"

prepare_host "${build_packages[@]}"
# Of what is built, too: others are to run it.
umask 022
nsrun=$(build_release)
rootfs_tool=$(build_rootfs_tool)
version=$("$nsrun" --version)
name=nsrun-${version##* }-$(uname -m)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
install_files "$stage/$name" "$nsrun" "$rootfs_tool"
install -D -m 644 -t "$stage/$name" "$project"/{LICENSE,README.md,CHANGELOG.md}
install -D -m 644 -t "$stage/$name/share/doc/nsrun" "$project"/Documentation/*.md

file=$(realpath "$directory")/$name.tar.gz
tar --create --directory "$stage" --sort=name --format=ustar --mtime="@$time" --owner=root:0 --group=root:0 \
    --mode=u=rwX,go=rX "$name" | gzip --no-name --best >"$stage/release"
mv "$stage/release" "$file"
chmod 644 "$file"
echo "$file"
