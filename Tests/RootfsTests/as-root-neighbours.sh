#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What another user of the machine can do to a user of nsrun, and cannot: two accounts, made here and removed again.
# Run by root, with the binaries in NSRUN_TEST_BINARY and NSRUN_ROOTFS_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"

user=nsrun-as-root-user neighbour=nsrun-as-root-neighbour
end() {
    local account
    for account in "$user" "$neighbour"; do userdel "$account" 2>/dev/null || true; done
    rm -rf "$work"
}
trap end EXIT
for account in "$user" "$neighbour"; do useradd --no-create-home --home-dir /nonexistent "$account"; done
chmod 755 "$work"
umask 022

mkdir "$work/bin" "$work/home" "$work/shared"
cp "$NSRUN_TEST_BINARY" "$work/bin/nsrun"
cp "$NSRUN_ROOTFS_TEST_BINARY" "$work/bin/nsrun-rootfs"
chown "$user:" "$work/home"
chmod 1777 "$work/shared"
as() {
    runuser -u "$1" -- env -i -C "$work" HOME="$work/home" PATH="$work/bin:/usr/bin:/bin" LANG=C.UTF-8 \
        "${@:2}"
}

# A root with a shell, as a directory and as a tar.
mkdir -p "$work"/root/{bin,dev,etc,proc,run,sys,tmp,usr,var/tmp}
touch "$work"/root/etc/{passwd,group,hosts,resolv.conf}
cp -L /bin/sh "$work/root/bin/"
ldd /bin/sh | grep -o '/[^ ]*' | while read -r library; do
    install -D "$library" "$work/root$library"
done
chmod 6755 "$work/root/bin/sh"
tar -cf "$work/root.tar" -C "$work/root" .
set_id_files() { find "$1" -perm /6000 -printf '%P\n'; }

# Set-id bits: without them the user's shell is nobody's way to become the user.
expect "" "a user imports" as "$user" nsrun-rootfs import --quiet "$work/root.tar" "$work/shared/mine"
expect "" "no set-id bits" set_id_files "$work/shared/mine"
expect "$(id -u "$neighbour")" "the neighbour stays himself" \
    as "$neighbour" "$work/shared/mine/bin/sh" -pc "id -u"
expect "" "real root imports" "$work/bin/nsrun-rootfs" import --quiet "$work/root.tar" "$work/shared/roots"
expect "bin/sh" "and keeps them" set_id_files "$work/shared/roots"
rm -r "$work/shared/roots"
chown "$user:" "$work/root"
tar -cf "$work/owned.tar" -C "$work/root" .
expect "" "real root imports what is the user's" "$work/bin/nsrun-rootfs" import --quiet "$work/owned.tar" \
    "$work/shared/roots"
expect "$user $user $user" "and so are its records" \
    sh -c "stat -c %U '$work/shared/roots' '$work/shared/roots/.nsrun' '$work/shared/roots/.nsrun/image' | xargs"
rm -r "$work/shared/roots"

# The store is its user's alone.
expect "" "a name in the store" as "$user" nsrun-rootfs import --quiet "$work/root.tar" mine
expect "refused" "the neighbour looks in" \
    as "$neighbour" sh -c "ls '$work/home/.local/share/nsrun/rootfs' 2>/dev/null || echo refused"

# Whose settings a root has: its owner's, the caller's, real root's. Where they are ignored there is no command either.
says() { as "$user" nsrun --rootfs "$1" 2>&1 </dev/null | sed -n "1{s|$work||;p}"; }
settings() { printf 'entrypoint /bin/sh\nentrypoint -c\ncmd echo %s\n' "$1"; }
record() {
    mkdir -p "$2/.nsrun"
    settings "$1" >"$2/.nsrun/image"
    chown -R "$1:" "$2/.nsrun"
}
copy() { rm -rf "$2" && cp -a "$1" "$2"; }
place=$work/shared/theirs
for owner in "$user" "$neighbour" root; do
    copy "$work/shared/mine" "$place"
    chown "$owner:" "$place"
    for author in "$user" "$neighbour" root; do
        rm -rf "$place/.nsrun"
        record "$author" "$place"
        case $author in
        "$user" | "$owner" | root)
            expect "$author" "a root of $owner's with settings of $author's" says "$place"
            ;;
        *)
            expect "nsrun: the image's settings are ignored: /shared/theirs/.nsrun/image: it belongs to somebody else than the root's owner" \
                "a root of $owner's with settings of $author's" says "$place"
            ;;
        esac
    done
done
# A neighbour's file in a directory of the user's, and the other way round.
record "$user" "$place"
chown "$user:" "$place"
chown "$neighbour:" "$place/.nsrun/image"
expect "nsrun: the image's settings are ignored: /shared/theirs/.nsrun/image: it belongs to somebody else than the root's owner" \
    "a file of somebody else's" says "$place"
# Where the neighbour may write, he can still only add what is his.
record "$user" "$place"
chmod 777 "$place"
as "$neighbour" mv "$place/.nsrun" "$place/x"
as "$neighbour" mkdir "$place/.nsrun"
settings evil | as "$neighbour" tee "$place/.nsrun/image" >/dev/null
expect "nsrun: the image's settings are ignored: /shared/theirs/.nsrun/image: it belongs to somebody else than the root's owner" \
    "a root that the neighbour may write to" says "$place"
rm -rf "$place"
# Beside a root, in a directory that all can write to: nothing.
settings evil | as "$neighbour" tee "$work/shared/mine.image" >/dev/null
rm -rf "$work/shared/mine/.nsrun"
expect "nsrun: there is no command" "beside a root" says "$work/shared/mine"
rm "$work/shared/mine.image"

# The cache of a pack: the neighbour was there first.
expect "" "a pack" as "$user" nsrun-rootfs pack --quiet --launcher "$work/bin/nsrun" --self-extracting \
    --entry sh=/bin/sh "$work/shared/mine" "$work/home/one"
run_pack() { as "$user" env XDG_CACHE_HOME="$1" NSRUN_ENGINE=userns "$work/home/one" -c 'echo ran' 2>&1 | head -1; }
expect ran "a pack in the user's cache" run_pack "$work/home/.cache"
name=$(find "$work/home/.cache/nsrun/packs" -mindepth 1 -maxdepth 1 -type d -printf '%f\n')
refuse() { # PLACE CULPRIT
    expect "nsrun: cannot unfold the packed program into $1/nsrun/packs/$name: $2 belongs to somebody else" \
        "$2 of the neighbour's" run_pack "$1"
}
cache=$work/shared/cache
as "$neighbour" mkdir -m 755 "$cache"
refuse "$cache" "$cache"
rm -r "$cache"
as "$user" mkdir -m 1777 "$cache"
as "$neighbour" mkdir -p "$cache/nsrun/packs/$name"
refuse "$cache" "$cache/nsrun"
rm -r "$cache"
as "$user" mkdir -p "$cache/nsrun"
chmod 1777 "$cache/nsrun"
as "$neighbour" mkdir -p "$cache/nsrun/packs/$name"
refuse "$cache" "$cache/nsrun/packs"
rm -r "$cache"
as "$neighbour" ln -s "$work/home" "$cache"
refuse "$cache" "$cache"
rm "$cache"
as "$user" mkdir -p -m 700 "$cache/nsrun/packs"
mkdir "$cache/nsrun/packs/$name"
chown "$neighbour:" "$cache/nsrun/packs/$name"
refuse "$cache" "$cache/nsrun/packs/$name"
rm -r "$cache"

# What engines remember, as which links stand for a root's, is not read where the neighbour could have put it.
as "$user" mkdir -m 1777 "$cache"
as "$neighbour" mkdir -m 777 "$cache/nsrun"
as "$user" env XDG_CACHE_HOME="$cache" nsrun --quiet --engine fakechroot --rootfs "$work/shared/mine" -- \
    /bin/sh -c : >/dev/null 2>&1 || true
expect "" "nothing is remembered there" find "$cache/nsrun" -mindepth 1
rm -r "$cache"

# A staged copy: its path is the user's to the end.
stage() { as "$user" nsrun-rootfs stage --quiet "$work/root.tar" "$1" 2>&1 | head -1; }
staged=$work/shared/nsrun-$(id -u "$user")
as "$neighbour" mkdir -m 755 "$staged"
expect "nsrun-rootfs: cannot stage in the directory $work/shared: $staged belongs to somebody else" \
    "the neighbour made it first" stage "$work/shared"
rm -r "$staged"
as "$neighbour" mkdir -m 777 "$cache"
expect "nsrun-rootfs: cannot stage in the directory $cache: $cache belongs to somebody else" \
    "a directory of the neighbour's" stage "$cache"
rm -r "$cache"
copy=$(stage "$work/shared")
expect "" "a staged copy has no set-id bits" set_id_files "$copy"
expect "refused" "and is not the neighbour's to rename" \
    as "$neighbour" sh -c "mv '$staged' '$work/shared/x' 2>/dev/null || echo refused"

# What the neighbour leaves about is not swept, and his directories are not removed.
as "$neighbour" mkdir "$work/shared/.x.partial-1-f"
as "$neighbour" mkdir -p "$work/shared/his/usr" "$work/shared/his/etc"
expect "" "an import beside it" as "$user" nsrun-rootfs import --quiet "$work/root.tar" "$work/shared/next"
expect ".x.partial-1-f" "is there still" find "$work/shared" -name '.x*' -printf '%f\n'
expect "nsrun-rootfs: cannot remove $work/shared/his: operation not permitted" "his directory" \
    as "$user" nsrun-rootfs remove --force "$work/shared/his"

echo "$passed checks passed as root"
