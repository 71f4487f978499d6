#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Places that an automounter fills when somebody looks into them (autofs(5)): who names one gets what belongs there, who
# shows it among others waits for nobody, and what is shown read-only stays so. Run by root, who alone mounts such things,
# in a mount namespace of its own; with the binary in NSRUN_TEST_BINARY. Prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")
own_mounts
cd /
place=/srv/nsrun-automount
mount -t tmpfs none /srv
mount --make-shared /srv
mkdir -p "$place"/{data,root,silent,later}
chmod 755 "$work"
ln -s "$nsrun" "$work/bwrap"

# A root with a shell and what it needs, which comes with its mount.
mkdir -p "$work"/root/{bin,dev,etc,proc,root,run,sys,tmp,usr,var/tmp,mnt}
for program in sh cat ls; do
    cp -L "/bin/$program" "$work/root/bin/"
    ldd "/bin/$program" | grep -o '/[^ ]*' | while read -r library; do
        install -D "$library" "$work/root$library"
    done
done

# automount PLACE: mounts a tmpfs there when it is asked, with a copy of SOURCE in it. Told apart by its process group.
cat >"$work/automount.py" <<'END'
import ctypes, fcntl, os, shutil, struct, sys
place, source = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
reading, writing = os.pipe()
os.setpgid(0, 0)
options = f"fd={writing},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if libc.mount(b"auto", place.encode(), b"autofs", 0, options.encode()):
    sys.exit(os.strerror(ctypes.get_errno()))
control = os.open(place, os.O_RDONLY)
print("ready", flush=True)
while packet := os.read(reading, 304):
    if source == "silent": continue
    libc.mount(b"none", place.encode(), b"tmpfs", 0, b"mode=777")
    shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    fcntl.ioctl(control, 0x9360, struct.unpack_from("I", packet, 8)[0])
END
mkdir "$work/content"
echo text >"$work/content/file"
daemons=()
automount() {
    : >"$work/ready"
    python3 "$work/automount.py" "$1" "$2" >"$work/ready" &
    daemons+=($!)
    until grep -q ready "$work/ready"; do :; done
}
trap 'kill "${daemons[@]}" 2>/dev/null; umount -l /srv; rm -rf "$work"' EXIT
automount "$place/data" "$work/content"
automount "$place/root" "$work/root"
automount "$place/silent" silent
automount "$place/later" "$work/content"
as_nobody() { runuser -u nobody -- env NSRUN_ENGINE=userns "$@"; }
idle() { findmnt -n -t tmpfs "$1" >/dev/null && echo mounted || echo idle; }
let_go() { umount "$place/data" "$place/root" 2>/dev/null || true; }

for way in "" --debug-opt=force-attached-mounts --debug-opt=force-classic-mounts; do
    run_as=("$nsrun" ${way:+"$way"})
    let_go
    # Nobody has named them: nobody waits, and nothing comes.
    expect own "the host view, $way" as_nobody timeout 9 "${run_as[@]}" -- sh -c 'echo own'
    expect own "a layer over it, $way" as_nobody timeout 9 "${run_as[@]}" --ephemeral -- sh -c 'echo own' 2>/dev/null
    expect own "the host's root beside another, $way" \
        as_nobody timeout 9 "${run_as[@]}" --rootfs "$work/root" --host-root -- sh -c 'echo own'
    expect own "all of it, read-only, $way" \
        as_nobody timeout 9 "${run_as[@]}" --rootfs "$work/root" --ro-bind / /mnt -- sh -c 'echo own'
    expect idle "nothing was mounted, $way" idle "$place/data"

    # Who names it gets it.
    expect text "a bind, $way" as_nobody "${run_as[@]}" --rootfs "$work/root" --bind "$place/data" /mnt -- cat /mnt/file
    let_go
    expect text "read-only, $way" as_nobody "${run_as[@]}" --rootfs "$work/root" --ro-bind "$place/data" /mnt -- \
        sh -c 'cat /mnt/file; echo x 2>/dev/null >/mnt/file'
    let_go
    expect is-in-it "a rootfs, $way" as_nobody "${run_as[@]}" --rootfs "$place/root" -- sh -c 'echo is-in-it'
    let_go

    # What comes while the run is there is not writable where all is read-only.
    : >"$work/out"
    rm -f "$work/go"
    # shellcheck disable=SC2016 # expanded inside
    as_nobody "${run_as[@]}" --rootfs "$work/root" --ro-bind / /mnt -- sh -c 'echo started
        until [ -e /mnt'"$work"'/go ]; do :; done
        (echo new >/mnt'"$place"'/later/new) 2>/dev/null; echo ended' >"$work/out" &
    run=$!
    until grep -q started "$work/out"; do :; done
    ls "$place/later" >/dev/null
    touch "$work/go"
    wait "$run"
    expect ended "a run while something comes, $way" tail -1 "$work/out"
    expect file "and nothing was written there, $way" ls "$place/later"
    umount "$place/later"
done
expect text "as bwrap" as_nobody "$work/bwrap" --ro-bind "$work/root" / --bind "$place/data" /mnt cat /mnt/file
let_go
expect 125 "one for which nobody answers is named, after a while" \
    sh -c "runuser -u nobody -- timeout 60 '$nsrun' --rootfs '$work/root' --bind '$place/silent' /mnt true 2>'$work/said'; echo \$?"
expect "nsrun: cannot use $place/silent: the automounter does not mount it" "in words" head -1 "$work/said"

echo "$passed checks passed as root"
