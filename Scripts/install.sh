#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and installs nsrun and nsrun-rootfs; --help says what and where, and how to remove it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"


help() {
    cat <<END
usage: Scripts/install.sh [PREFIX]

Builds nsrun and nsrun-rootfs and installs them, their manual pages and their completions for bash,
zsh and fish below PREFIX: /usr/local where you may write there, else ~/.local. To remove them again:

  cd PREFIX && rm $(installed_files)
END
}

if [[ -w /usr/local/bin && -w /usr/local/share ]]; then prefix=/usr/local; else prefix=$HOME/.local; fi
case ${1-} in
-h | --help)
    help
    exit
    ;;
-*) fail "unknown option $1" "usage: Scripts/install.sh [PREFIX]" ;;
?*) prefix=$(realpath -m "$1") ;;
esac

if ! mkdir -p "$prefix/bin" "$prefix/share" || [[ ! -w $prefix/bin || ! -w $prefix/share ]]; then
    fail "you cannot write to $prefix" "name another PREFIX, or build first and then run it as root"
fi

if [[ -O $project ]]; then
    binary=$(build_release)
    rootfs_tool=$(build_rootfs_tool)
else
    # Files that root built here would be in the owner's way.
    binary=$project/.build-embedded/nsrun
    rootfs_tool=$project/.build-rootfs/nsrun-rootfs
    [[ -x $binary && -x $rootfs_tool ]] ||
        fail "nsrun is not built, and this checkout is $(stat -c %U "$project")'s" \
            "first run as its owner: Scripts/build.sh nsrun; Scripts/build.sh nsrun-rootfs"
fi

install_files "$prefix" "$binary" "$rootfs_tool"
say "installed below $prefix: $(installed_files)"
[[ :$PATH: == *:$prefix/bin:* ]] || say "$prefix/bin is not in PATH"
