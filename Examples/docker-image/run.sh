#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a container image of some layers by umoci, without a daemon and without root, imports it, and
# runs it as it wants to be run. Exits with 0 if everything printed is what should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
base=${ROOTFS:-${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs/bookworm}
entry_point=$PWD/greet.sh
rm -rf .build
mkdir .build
cd .build

echo "An image, made by umoci:"
umoci init --layout image
umoci new --image image:latest
# The first layer is just enough of a Debian; later ones bring a program, take a note away, and put
# another one there.
mkdir -p base/notes base/etc
machine=$(cd "$base/usr/lib" && compgen -G '*-linux-gnu')
mkdir -p base/usr/bin "base/usr/lib/$machine" base/usr/lib64
ln -s usr/bin usr/lib usr/lib64 base
for program in sh cat env ls; do cp --dereference "$base/usr/bin/$program" base/usr/bin; done
for library in libc.so.6 libselinux.so.1 libpcre2-8.so.0; do
    cp --dereference "$base/usr/lib/$machine/$library" "base/usr/lib/$machine"
done
cp --dereference "$base"/lib*/ld-linux*.so.* base/usr/lib64
cp "$base/etc/debian_version" base/etc
echo "of the first layer" >base/notes/old
umoci insert --rootless --image image:latest base /
umoci insert --rootless --image image:latest "$entry_point" /opt/greet
umoci insert --rootless --image image:latest --whiteout /notes/old
echo "of a later layer" >note
umoci insert --rootless --image image:latest note /notes/new
umoci config --image image:latest --config.env GREETING=Hello --config.workingdir / \
    --config.entrypoint /opt/greet --config.cmd world
umoci stat --image image:latest --json | grep -o '"created_by":"[^"]*"'

echo "Imported:"
"$tool" import --quiet image ./root
"$tool" show ./root | grep -v '^path'

echo "Run as it wants to be, with other words, and with a command of one's own:"
"$nsrun" --rootfs ./root | tee said
"$nsrun" --rootfs ./root --setenv GREETING Servus | tee -a said
# shellcheck disable=SC2016 # expanded inside
"$nsrun" --rootfs ./root -- sh -c 'echo "$GREETING to you."; cat /notes/*' | tee -a said

version=$(<"$base/etc/debian_version")
diff - said <<END
Hello, world! This is /opt/greet in /, on Debian $version.
Notes: new
Servus, world! This is /opt/greet in /, on Debian $version.
Notes: new
Hello to you.
of a later layer
END
