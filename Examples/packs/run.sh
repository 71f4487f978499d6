#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packs programs of a Debian rootfs in a folder and in a single file, and runs them from elsewhere. Exits with
# 0 if everything printed is what should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
root=${ROOTFS:-${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs/bookworm}
rm -rf .build
mkdir .build
cd .build
# The pack of a single file unfolds below this, and not in the caller's own cache.
export XDG_CACHE_HOME=$PWD/cache

echo "A folder:"
"$tool" pack --quiet --launcher "$nsrun" "$root" tools.tar \
    --entry perl=/usr/bin/perl --entry awk=/usr/bin/awk
mkdir -p far/away
tar xf tools.tar -C far/away
ls far/away/tools far/away/tools/bin
ln -s far/away/tools/bin/awk my-awk
echo "a line of the caller's" >file
{
    ./my-awk '{ print NF, "words" }' file
    far/away/tools/bin/perl -e 'open F, "/etc/debian_version"; print "Debian ", <F>'
} | tee said

echo "A single file, started by three at once:"
"$tool" pack --quiet --launcher "$nsrun" "$root" perl --self-extracting --entry perl=/usr/bin/perl
for number in 1 2 3; do
    ./perl -e 'print 6 * 7, "\n"' >"answer-$number" &
done
wait
cat answer-* | tee -a said
find "$XDG_CACHE_HOME/nsrun/packs" -mindepth 1 -maxdepth 1 -type d | wc -l

diff - said <<END
5 words
Debian $(<"$root/etc/debian_version")
42
42
42
END
