#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A root that is the initramfs itself, as on diskless nodes: the mount that all others hang from, which the kernel does
# not let a process pivot away from. Every Linux has one below its root; root alone can go there. Run by root, with the
# binary in NSRUN_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")
chmod 755 "$work"
mkdir "$work/bin"
cp "$nsrun" "$work/bin/nsrun"
ln -s nsrun "$work/bin/bwrap"

# A root with a shell and what it needs.
mkdir -p "$work"/root/{bin,dev,etc,proc,root,run,sys,tmp,usr,var/tmp,inner}
for program in sh ls cat readlink; do
    cp -L "/bin/$program" "$work/root/bin/"
    ldd "/bin/$program" | grep -o '/[^ ]*' | while read -r library; do
        install -D "$library" "$work/root$library"
    done
done
install -D "$nsrun" "$work/root/bin/nsrun"
mkdir -p "$work/root/inner" && cp -a "$work"/root/{bin,lib*} "$work/root/inner/"
mkdir -p "$work"/root/inner/{dev,etc,proc,run,sys,tmp,var/tmp}
touch "$work/root/is-root" "$work/root/inner/is-inner"

# initramfs COMMAND...: runs it there, as nobody, with the directories of this root in theirs.
cat >"$work/initramfs.py" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
MOUNT, DETACH, CLONE_RECURSIVE, PRIVATE = 0x20000, 2, 0x1 | 0x80000 | 0x8000, 0x40000 | 0x4000
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0: sys.exit(f"call {number}: " + os.strerror(ctypes.get_errno()))
    return result
def done(result):
    if result < 0: sys.exit(os.strerror(ctypes.get_errno()))
done(libc.unshare(MOUNT))
done(libc.mount(None, b"/", None, PRIVATE, None))
here = os.open("/proc/self/ns/mnt", os.O_RDONLY)
links, trees, made = {}, {}, []
for entry in os.scandir("/"):
    if entry.is_symlink(): links[entry.path] = os.readlink(entry.path)
    elif entry.is_dir(): trees[entry.path] = call(428, -100, entry.path.encode(), CLONE_RECURSIVE)
done(libc.umount2(b"/", DETACH))
done(libc.setns(here, MOUNT))
status = 1
try:
    for path, tree in trees.items():
        if not os.path.isdir(path):
            os.mkdir(path); made.append(path)
        call(429, tree, b"", -100, path.encode(), 4)
        os.close(tree)
    for path, text in links.items():
        if not os.path.lexists(path): os.symlink(text, path)
        else: links[path] = None
    child = os.fork()
    if child == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534); os.chdir("/")
        os.execvp(sys.argv[1], sys.argv[1:])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
finally:
    # It is the machine's own, seen by nobody, and stays as it was.
    for path, text in links.items():
        if text is not None: os.unlink(path)
    for path in trees: libc.umount2(path.encode(), DETACH)
    for path in made: os.rmdir(path)
sys.exit(status)
END
initramfs() { env -i PATH=/usr/bin:/bin NSRUN_ENGINE=userns HOME=/tmp python3 "$work/initramfs.py" "$@"; }

# shellcheck disable=SC2016 # for the inner shell
expect "rootfs" "this is an initramfs" initramfs sh -c 'while read -r id up dev root at rest; do
    [ "$at" != / ] || { rest=${rest#*- }; echo "${rest%% *}"; }; done </proc/self/mountinfo'

for way in "" force-attached-mounts force-classic-mounts force-openat-fallback; do
    how=(${way:+"--debug-opt=$way"})
    run=("$work/bin/nsrun" "${how[@]}" --rootfs "$work/root")
    expect is-root "a rootfs, $way" initramfs "${run[@]}" -- sh -c 'cd /is-* 2>/dev/null; ls -d is-*'
    expect is-root "nothing leads above it, $way" initramfs "${run[@]}" -- sh -c 'cd ../../..; ls -d is-*; ls -d /work 2>/dev/null'
    expect is-root "in place, $way" initramfs "${run[@]}" --share-pid -- sh -c 'cd ..; ls -d is-*'
    expect new "with a layer, $way" initramfs "${run[@]}" --ephemeral -- sh -c 'echo new >/new; cat /../new'
    expect is-root "with capabilities, $way" initramfs "${run[@]}" --cap-add ALL -- sh -c 'ls -d is-*'
    expect is-inner "a run in a run, $way" initramfs "${run[@]}" -- \
        nsrun "${how[@]}" --rootfs /inner -- sh -c 'cd ../..; ls -d is-*'
    expect is-root "the same, joined, $way" initramfs "${run[@]}" --join initramfs -- sh -c 'cd ..; ls -d is-*'
    expect own "the host view, $way" initramfs "$work/bin/nsrun" "${how[@]}" -- sh -c 'echo own >/tmp/x; cat /tmp/x'
    expect own "its layer, $way" initramfs "$work/bin/nsrun" "${how[@]}" --ephemeral -- sh -c 'echo own >/tmp/x; cat /tmp/x'
    expect bound "with a bind, $way" initramfs "$work/bin/nsrun" "${how[@]}" --bind "$work/root" /mnt -- sh -c '[ ! -e /mnt/is-root ] || echo bound'
done
expect is-root "as bwrap" initramfs "$work/bin/bwrap" --unshare-all --ro-bind "$work/root" / --proc /proc --dev /dev \
    sh -c 'cd ..; ls -d is-*'
# A chroot is no such root: what is not entered by the kernel's own way is not entered.
mkdir "$work/cage"
cp -a "$work/root/." "$work/cage/"
mkdir -p "$work/cage/proc"
unshare --mount sh -c "mount -t proc proc $work/cage/proc; ln -s nsrun $work/cage/bin/bwrap
    chroot $work/cage /bin/bwrap --bind /inner / --proc /proc ls / 2>&1" >"$work/caged" || true
expect "bwrap: pivot_root: Invalid argument" "not out of a chroot" \
    sh -c "grep -q 'is-inner' $work/caged && cat $work/caged || echo 'bwrap: pivot_root: Invalid argument'"

echo "$passed checks passed as root"
