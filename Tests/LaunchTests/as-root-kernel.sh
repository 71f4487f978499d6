#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Real root as caller: files of proc and sys take what user id 0 writes without asking for a capability, so whatever a
# run of his shows of them but processes is read-only, under every shape of a launch. Run by root, with the binary in
# NSRUN_TEST_BINARY; prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
cd /
nsrun=$(realpath "$NSRUN_TEST_BINARY")
ln -s "$nsrun" "$work/bwrap"

# A root with a shell and what it needs, which root may have others' programs in.
mkdir -p "$work"/root/{usr,etc,proc,dev,tmp}
for directory in bin lib lib64 sbin; do
    [[ ! -L /$directory ]] || ln -s "usr/$directory" "$work/root/$directory"
done
root=(--rootfs "$work/root" --ro-bind /usr /usr)

# Opened for appending, and never written to.
cat >"$work/probe" <<'END'
import os, stat
def kernel_files(top, depth):
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        if top == "/proc" and (entry.name.isdigit() or entry.is_symlink()): continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth: yield from kernel_files(entry.path, depth - 1)
            # Others take no text, though who has capabilities may open them for writing.
            elif entry.is_file(follow_symlinks=False) and entry.stat().st_mode & 0o222: yield entry.path
        except OSError: pass
found = [path for path in kernel_files("/proc", 4) if os.access(path, os.W_OK)]
if os.path.isdir("/sys/kernel"):
    found += [path for path in kernel_files("/sys", 2) if os.access(path, os.W_OK)]
for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
             "/sys/kernel/uevent_helper", "/proc/irq/default_smp_affinity"]:
    try: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)); found.append("opened " + path)
    except OSError: pass
print(len(found), *found[:3])
END
probe=$(<"$work/probe")

for options in "" "--uid 1000" "--uid 1000 --gid 1000" --share-pid "--network none" --ephemeral "--ephemeral --share-pid" \
    --fake-root "--cap-add ALL" "--uid 1000 --cap-add ALL" --as-pid-1 "--info-fd 2" "--timeout 60" \
    "--preset test" "--debug-opt=force-classic-mounts" \
    "--debug-opt=force-classic-mounts --share-pid"; do
    read -ra words <<<"$options"
    expect 0 "the host view, $options" sh -c '"$@" 2>/dev/null' sh "$nsrun" "${words[@]}" -- python3 -c "$probe"
    expect 0 "a rootfs, $options" \
        sh -c '"$@" 2>/dev/null' sh "$nsrun" "${root[@]}" "${words[@]}" -- python3 -c "$probe"
done
for options in "--preset toolbox" "--preset hpc" "--preset action --setenv PATH /usr/bin" --host-root --writable \
    "--writable --share-pid" "--writable --preset toolbox"; do
    read -ra words <<<"$options"
    expect 0 "a rootfs, $options" "$nsrun" "${root[@]}" "${words[@]}" -- python3 -c "$probe"
done
for options in --unshare-all --unshare-user --unshare-pid "--unshare-user --uid 1000" \
    "--unshare-user --unshare-pid --cap-drop ALL"; do
    read -ra words <<<"$options"
    expect 0 "bwrap $options" "$work/bwrap" --bind / / --ro-bind /sys /sys --proc /proc --dev /dev \
        "${words[@]}" python3 -c "$probe"
done

echo "$passed checks passed as root"
