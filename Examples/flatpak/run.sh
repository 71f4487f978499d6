#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a runtime and an application with Debian's flatpak, both from a local root and without a
# network, and runs the application, with nsrun in place of bubblewrap. Needs the Debian packages
# flatpak and dbus-daemon; installs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
# The session below has another home.
export ROOTFS=${ROOTFS:-$HOME/.local/share/nsrun/rootfs/bookworm}
root=$ROOTFS

((EUID != 0)) || { echo "run.sh: run it as an ordinary user" >&2 && exit 1; }
for program in flatpak dbus-run-session; do
    type -P "$program" >/dev/null || {
        echo "run.sh: $program is missing: apt-get install flatpak dbus-daemon" >&2
        exit 1
    }
done

# flatpak keeps everything below these, and needs a D-Bus session for `run`.
if [[ -z ${EXAMPLE_SESSION-} ]]; then
    work=$(mktemp -d)
    # flatpak makes some directories without write permission.
    trap 'chmod -R u+rwX "$work"; rm -rf "$work"' EXIT
    mkdir -m 700 "$work/run"
    EXAMPLE_SESSION=$work HOME=$work XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache \
        XDG_CONFIG_HOME=$work/config XDG_RUNTIME_DIR=$work/run dbus-run-session -- "./${0##*/}"
    exit
fi
work=$EXAMPLE_SESSION
# flatpak asks the system bus for parental controls; a bus without them will do.
export DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS

# What flatpak calls: notes that it was called, and is nsrun from then on.
cat >"$work/called" <<END
#!/bin/sh
echo called >>"$work/calls"
exec "$work/bwrap" "\$@"
END
chmod +x "$work/called"
ln -s "$nsrun" "$work/bwrap"
export FLATPAK_BWRAP=$work/called

arch=$(flatpak --default-arch)
say() { printf '==> %s\n' "$*"; }

say "a runtime of a shell and a few tools"
runtime=$work/runtime
mkdir -p "$runtime"/{files,usr/bin,usr/lib,usr/lib64,usr/etc}
for program in sh cat ls sed tail touch grep cp mkdir chmod; do
    cp -L "$root/usr/bin/$program" "$runtime/usr/bin/"
done
for library in "$root"/usr/lib/*-linux-gnu/{libc.so.6,libselinux.so.1,libpcre2-8.so.0,libacl.so.1,libattr.so.1}; do
    cp -L "$library" "$runtime/usr/lib/"
done
cp -L "$root"/usr/lib/*-linux-gnu/ld-linux-*.so.* "$runtime/usr/lib64/"
cp -L "$root"/usr/lib/*-linux-gnu/ld-linux-*.so.* "$runtime/usr/lib/"
cat >"$runtime/metadata" <<END
[Runtime]
name=org.example.Platform
runtime=org.example.Platform/$arch/1
sdk=org.example.Platform/$arch/1
END
flatpak build-export --runtime "$work/repository" "$runtime" 1 >/dev/null
flatpak --user remote-add --no-gpg-verify example "$work/repository"
flatpak --user install --noninteractive example org.example.Platform//1 >/dev/null

say "an application, installed by a command in the build sandbox"
flatpak build-init "$work/application" org.example.Application org.example.Platform \
    org.example.Platform 1
flatpak build --filesystem="$PWD" "$work/application" sh -c \
    'mkdir -p /app/bin && cp application.sh /app/bin/application && chmod +x /app/bin/application'
flatpak build-finish --command=application "$work/application" >/dev/null
flatpak build-export "$work/repository" "$work/application" >/dev/null
flatpak --user install --noninteractive example org.example.Application >/dev/null

say "flatpak run"
flatpak run org.example.Application | tee "$work/output"

diff "$work/output" expected || {
    echo "run.sh: that was not expected" >&2
    exit 1
}
say "flatpak called $(readlink "$work/bwrap" | sed 's,.*/,,') as bwrap $(wc -l <"$work/calls") times"
# Once to build, once to run at least.
(($(wc -l <"$work/calls") >= 2))
