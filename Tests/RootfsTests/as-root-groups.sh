#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Storage of a project: directories that hand their group down (set-group-ID), of a group that is among the caller's, but
# not his own, and so not mapped in a run. Run by root, who alone gives a directory to any group; with the binaries in
# NSRUN_TEST_BINARY and NSRUN_ROOTFS_TEST_BINARY. Prints the number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")
rootfs_tool=$(realpath "$NSRUN_ROOTFS_TEST_BINARY")
user=54320 project=54321
chmod 755 "$work"
as_member() {
    setpriv --reuid=$user --regid=$user --groups=$project env -i PATH=/usr/bin:/bin HOME="$work/home" \
        NSRUN_ENGINE=userns "$@"
}
mkdir "$work/project" "$work/home"
chown $user:$user "$work/home"
chown $user:$project "$work/project"
chmod 2775 "$work/project"

# shellcheck disable=SC2016 # for the inner shell
as_member sh -c 'cd "$1"; umask 002; mkdir -p root/bin root/etc root/usr root/proc root/dev root/sys root/run root/tmp root/var root/opt
    for program in sh ls cat stat mkdir; do
        cp -L "/bin/$program" root/bin/
        ldd "/bin/$program" | grep -o "/[^ ]*" | while read -r library; do
            mkdir -p "root${library%/*}"; cp -L "$library" "root$library"
        done
    done; echo old >root/etc/file; mkdir root/own' sh "$work/project"
root=$work/project/root
expect "$project 2775" "the rootfs is the project's" stat -c '%g %a' "$root"
expect "$project 2775" "and so is all in it" stat -c '%g %a' "$root/etc"

for way in "" --debug-opt=force-attached-mounts --debug-opt=force-classic-mounts; do
    run=("$nsrun" ${way:+"$way"} --rootfs "$root")
    expect old "it runs, $way" as_member "${run[@]}" cat /etc/file
    # There is no /var/tmp in it, and none can be made in a directory of that group.
    expect old "with a layer, $way" as_member "${run[@]}" --ephemeral cat /etc/file
    expect new "which takes new files, $way" as_member "${run[@]}" --ephemeral -- sh -c 'echo new >/new; cat /new'
    expect file "and mount points anywhere, $way" \
        as_member "${run[@]}" --ephemeral --bind "$root/etc" /opt/deep/er -- ls /opt/deep/er
    expect file "and mount points for files, $way" \
        as_member "${run[@]}" --ephemeral --ro-bind "$root/etc/file" /opt/file -- ls /opt
    layer=$work/project/layer${#way}
    expect new "with a layer that is kept there, $way" \
        as_member "${run[@]}" --overlay-dir "$layer" -- sh -c 'echo new >/new; mkdir /d /d/e; echo x >/d/e/f; cat /new'
    expect $'new\nx' "and found again, $way" \
        as_member "${run[@]}" --overlay-dir "$layer" -- sh -c 'cat /new /d/e/f'
    for part in upper work; do
        expect "$user 755" "the kernel's part of it, $part, $way" stat -c '%g %a' "$layer/$part"
    done
    # A layer that an earlier run has left so.
    for part in upper work; do
        chgrp -R $project "$layer/$part"
        chmod g+s "$layer/$part"
    done
    expect again "and one of long ago, $way" \
        as_member "${run[@]}" --overlay-dir "$layer" -- sh -c 'echo again >/again; cat /again'
    as_member mkdir "$work/project/mine${#way}"
    expect new "in a directory of the user's, $way" \
        as_member "${run[@]}" --overlay-dir "$work/project/mine${#way}" -- sh -c 'echo new >/new; cat /new'
    expect "$project 2755" "which stays the project's, $way" stat -c '%g %a' "$work/project/mine${#way}"
done

# What nsrun-rootfs makes there.
tar -C "$root" --owner=0 --group=0 -cf "$work/root.tar" .
chmod 644 "$work/root.tar"
expect "" "an import" as_member "$rootfs_tool" import --quiet "$work/root.tar" "$work/project/imported"
expect "$user" "has the caller's group" sh -c "find '$work/project/imported' -printf '%G\n' | sort -u"
expect changed "and takes changes in a layer" as_member "$nsrun" --rootfs "$work/project/imported" --ephemeral -- \
    sh -c 'echo changed >/etc/file; cat /etc/file'

echo "$passed checks passed as root"
