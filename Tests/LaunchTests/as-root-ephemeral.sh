#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# --ephemeral in the host view is a copy, also below what no layer can lie over: an automounted home among them. Run by
# root, who alone mounts such things, in a mount namespace of its own; with the binary in NSRUN_TEST_BINARY. Prints the
# number of passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")
own_mounts
cd /

place=/srv/nsrun-ephemeral
mount -t tmpfs none /srv
mkdir -p "$place"/{autofs,hugetlbfs,bpf,tmpfs,ramfs}
touch "$place/nsfs"
mount -t hugetlbfs none "$place/hugetlbfs"
mount -t bpf none "$place/bpf"
mount -t tmpfs none "$place/tmpfs"
mount -t ramfs none "$place/ramfs"
mount --bind /proc/self/ns/net "$place/nsfs"
# An automounter that has mounted a home: by its process group it is let through (autofs_ioctl(2)).
python3 - "$place/autofs" <<'END'
import ctypes, os, sys
reading, writing = os.pipe()
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={writing},pgrp={os.getpgrp()},minproto=5,maxproto=5,indirect"
if libc.mount(b"auto", sys.argv[1].encode(), b"autofs", 0, options.encode()):
    sys.exit(os.strerror(ctypes.get_errno()))
os.mkdir(sys.argv[1] + "/below")
END
for kind in hugetlbfs bpf ramfs tmpfs; do mkdir "$place/$kind/below"; done
for kind in autofs hugetlbfs bpf ramfs tmpfs; do
    mount -t tmpfs none "$place/$kind/below"
    mkdir "$place/$kind/below/home"
    echo old >"$place/$kind/below/home/file"
    chmod -R a+rwX "$place/$kind/below"
done

state() { (cd "$place" && find . -printf '%P %m %s\n' | sort; cat "$place"/*/below/home/file); }
before=$(state)
# shellcheck disable=SC2016 # expanded inside
destroy='cd '$place'; cat autofs/below/home/file
    for kind in autofs hugetlbfs bpf ramfs tmpfs; do
        (echo new >$kind/below/home/file; echo new >$kind/below/home/other; mkdir $kind/made; echo x >$kind/made/x)
        rm -rf $kind/below/home/* $kind/below/home
        mv $kind/below/home/file $kind/below/home/moved; chmod 777 $kind/below; ln $kind/below/home/file $kind/below/link
    done 2>/dev/null; echo done'
for options in "" --share-pid "--uid 0" "--cap-add ALL" "--network none" "--debug-opt=force-classic-mounts"; do
    read -ra words <<<"$options"
    for who in root nobody; do
        # What is read-only, and why, is told; the text must be there, whatever stands on standard error.
        expect $'old\ndone' "--ephemeral $options as $who" runuser -u "$who" -- \
            sh -c '"$@" 2>/dev/null' sh "$nsrun" --ephemeral "${words[@]}" -- sh -c "$destroy"
        expect "$before" "and all is as it was" state
    done
done
umount -R /srv

echo "$passed checks passed as root"
