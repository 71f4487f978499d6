#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A Debian as a toolbox, and programs of this host in a Debian that is older than they are. Exits
# with 0 if everything printed is what should be. Needs patchelf.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
root=${ROOTFS:-${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs/bookworm}
source=$PWD
type -P patchelf >/dev/null || {
    echo "run.sh: patchelf is not installed; apt install patchelf" >&2
    exit 1
}
work=$(mktemp -d)
note=/tmp/nsrun-toolbox-$$
clean_up() {
    # The kernel's own directory in a layer is closed to everybody.
    chmod -R u+rwX "$work"
    rm -rf "$work" "$note"
}
trap clean_up EXIT
cd "$work"

# expect TEXT...: shows what comes in, and compares.
expect() {
    local seen
    seen=$(cat)
    printf '%s\n' "$seen"
    diff <(printf '%s\n' "$@") <(printf '%s\n' "$seen") || {
        echo "run.sh: that was not expected" >&2
        exit 1
    }
}

toolbox() { "$nsrun" --preset toolbox --rootfs "$root" "$@"; }
old() { "$nsrun" --rootfs ./older "$@"; }

echo "Yourself, in another Debian:"
version=$(<"$root/etc/debian_version")
# shellcheck disable=SC2016 # expanded inside
toolbox -- sh -c 'id -un; echo ~; pwd; cat /etc/debian_version; readlink /etc/resolv.conf' |
    expect "$(id -un)" "$HOME" "$work" "$version" "/run/host$(realpath /etc/resolv.conf)"

echo "Without a command, your shell, where there is a terminal (script makes one):"
# shellcheck disable=SC2016 # expanded inside
printf '%s\n' 'echo "$0 in $PWD"' exit |
    SHELL=/bin/dash script --quiet --return --command "$nsrun --preset toolbox --rootfs $root" /dev/null |
    tr -d '\r' | grep -o '/bin/dash in /.*' | expect "/bin/dash in $work"

echo "Changes are kept in a layer, the rootfs stays as it is:"
toolbox --overlay-dir "$work/layer" -- sh -c 'echo kept >/etc/note'
toolbox --overlay-dir "$work/layer" -- cat /etc/note | expect "kept"
[[ ! -e $root/etc/note ]]

echo "/tmp is this host's, or one of its own:"
: >"$note"
for option in "" --tmpfs=/tmp; do
    toolbox --chdir / ${option:+"$option"} -- sh -c "if [ -e $note ]; then echo shared; else echo private; fi"
done | expect "shared" "private"

echo "An older Debian, of three packages:"
"$tool" debian --quiet --variant extract --include base-files,coreutils,dash bullseye ./older
theirs="sort (GNU coreutils) 8.32"
old -- sort --version | head -n 1 | expect "$theirs"

echo "This host's sort in it, as it is:"
program=$(realpath "$(type -P sort)")
if old --host-root -- "/run/host$program" --version 2>error; then
    echo "run.sh: it started" >&2
    exit 1
fi
head -n 1 error
grep -q "version \`GLIBC_.*' not found" error

echo "By --host-exec:"
ours=$(sort --version | head -n 1)
old --host-exec -- sort --version | head -n 1 | expect "$ours"

echo "Patched:"
"$source/patch.sh" "$program" ./sort
loader=$(realpath "$(patchelf --print-interpreter "$program")")
patchelf --print-interpreter ./sort | expect "/run/host$loader"
for way in "--host-root --cwd" "--preset toolbox"; do
    # shellcheck disable=SC2086 # two words
    old $way -- ./sort --version | head -n 1 | expect "$ours"
done

echo "What the two take themselves for, and what they start:"
"$source/patch.sh" "$(type -P readlink)" ./readlink
"$source/patch.sh" "$(type -P env)" ./env
old --host-exec -- readlink /proc/self/exe | expect "/run/host$(realpath "$(type -P readlink)")"
old --host-root --cwd -- ./readlink /proc/self/exe | expect "$work/readlink"
old --host-exec -- env sort --version | head -n 1 | expect "$theirs"
old --host-root --cwd -- ./env sort --version | head -n 1 | expect "$theirs"

echo "nsrun is static, and needs neither:"
old --host-root -- "/run/host$nsrun" -- cat /etc/debian_version |
    expect "$(<older/etc/debian_version)"
