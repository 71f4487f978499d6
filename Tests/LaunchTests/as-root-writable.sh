#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Real root who changes a root for real has all of his ids there, as package managers want them: apt fetches as somebody
# else, and dpkg gives files away. Run by root, with the binary in NSRUN_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
cd /
nsrun=$(realpath "$NSRUN_TEST_BINARY")

# A root with the host's programs, which are Debian's, and nothing installed.
root=$work/root
mkdir -p "$root"/{usr,etc/apt/{apt.conf.d,preferences.d,trusted.gpg.d},proc,dev,tmp,repository} \
    "$root"/var/{lib/{dpkg/{info,updates,triggers},apt/lists/partial},cache/apt/archives/partial,log/apt}
for directory in bin lib lib64 sbin; do
    [[ ! -L /$directory ]] || ln -s "usr/$directory" "$root/$directory"
done
touch "$root/var/lib/dpkg/"{status,available}
printf '%s\n' root:x:0:0::/root:/bin/sh games:x:5:60::/:/bin/sh _apt:x:42:65534::/:/bin/sh >"$root/etc/passwd"
printf '%s\n' root:x:0: games:x:60: nogroup:x:65534: >"$root/etc/group"
echo 'deb [trusted=yes] file:/repository ./' >"$root/etc/apt/sources.list"

# A package, in a repository of its own.
mkdir -p "$work/package/DEBIAN" "$work/package/opt"
echo score >"$work/package/opt/scores"
chown 5:60 "$work/package/opt/scores"
chmod 640 "$work/package/opt/scores"
cat >"$work/package/DEBIAN/control" <<'END'
Package: scores
Version: 1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: for a test
END
dpkg-deb --build "$work/package" "$root/repository/scores.deb" >/dev/null
{
    cat "$work/package/DEBIAN/control"
    printf 'Filename: ./scores.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s "$root/repository/scores.deb")" \
        "$(sha256sum "$root/repository/scores.deb" | cut -d' ' -f1)"
} >"$root/repository/Packages"
chmod -R a+rX "$work"

inside() { "$nsrun" --rootfs "$root" --ro-bind /usr /usr --writable "$@"; }
quietly() { if "$@" >"$work/said" 2>&1; then echo finished; else cat "$work/said"; fi; }

expect finished "apt-get update" quietly inside -- apt-get update
expect 1 "it has read the repository" sh -c "ls '$root/var/lib/apt/lists' | grep -c Packages"
expect "" "nothing was in its way" grep '^[WE]:' "$work/said"
expect finished "apt-get install" quietly inside -- apt-get install -y scores
expect "5 60 640 score" "its file is somebody else's" \
    sh -c "stat -c '%u %g %a' '$root/opt/scores' | tr '\n' ' '; cat '$root/opt/scores'"
expect "5 60" "inside, too" inside -- stat -c '%u %g' /opt/scores
expect "42" "who becomes another is that" inside -- setpriv --reuid 42 --clear-groups --regid 60 id -u
expect "5 60" "with --share-pid as well" inside --share-pid -- stat -c '%u %g' /opt/scores

# Who says what he wants gets that.
expect "7" "--uid 7" inside --uid 7 -- id -u
expect "65534" "of others there are none then" inside --uid 0 -- stat -c %u /opt/scores
expect "0000000000000000" "--cap-drop ALL" inside --cap-drop ALL -- sed -n 's/^CapEff:\t//p' /proc/self/status
expect "65534" "nor in a root that is not changed" \
    "$nsrun" --rootfs "$root" --ro-bind /usr /usr -- stat -c %u /opt/scores

# Root without the capabilities that it takes is served as before.
expect 0 "without CAP_SETUID" setpriv --bounding-set -setuid --inh-caps -setuid -- \
    "$nsrun" --rootfs "$root" --ro-bind /usr /usr --writable -- id -u

# The ranges that --map-auto wants root gives himself.
expect "nsrun: cannot map ranges of ids: /etc/subuid and /etc/subgid have none for you
  give yourself some: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 root; or leave the option out: what you change in a rootfs for real (--writable) has all of your ids" \
    "--map-auto without ranges" unshare --mount --propagation private sh -c '
        mount --bind /dev/null /etc/subuid && mount --bind /dev/null /etc/subgid && exec "$@"' sh \
    "$nsrun" --rootfs "$root" --ro-bind /usr /usr --map-auto -- true

echo "$passed checks passed as root"
