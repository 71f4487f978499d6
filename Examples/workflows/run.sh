#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# On demand: installs snakemake and cwltool from PyPI.
#
# Two workflow engines that have only an apptainer to run their steps in, which is nsrun: snakemake, and cwltool under the
# name singularity. The image comes from a registry on this machine. Exits with 0 if what they make is what it should be.
# Needs python3-venv, skopeo, docker-registry, squashfs-tools and squashfuse; NSRUN, NSRUN_ROOTFS and ROOTFS name the
# programs and a Debian.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

nsrun=$(realpath "$(type -P "${NSRUN:-nsrun}")")
rootfs_tool=$(realpath "$(type -P "${NSRUN_ROOTFS:-nsrun-rootfs}")")
for program in skopeo docker-registry mksquashfs squashfuse_ll; do
    type -P "$program" >/dev/null || {
        echo "run.sh: this needs packages: apt-get install --no-install-recommends" \
            "python3-venv skopeo docker-registry squashfs-tools squashfuse" >&2
        exit 1
    }
done
version=$("$nsrun" --rootfs "${ROOTFS:-bookworm}" cat /etc/debian_version)
here=$PWD work=$(mktemp -d)
registry=
clean_up() {
    [[ -z $registry ]] || kill "$registry"
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work"

# The names are all that there is of Apptainer.
mkdir bin
ln -s "$nsrun" bin/apptainer
ln -s "$nsrun" bin/singularity
ln -s "$rootfs_tool" bin/nsrun-rootfs
# Kept for the next time.
[[ -x $here/.build/venv/bin/cwltool ]] || {
    python3 -m venv "$here/.build/venv"
    "$here/.build/venv/bin/pip" install --quiet snakemake cwltool
}
export PATH=$work/bin:$here/.build/venv/bin:/usr/bin:/bin
# Nothing is left in the home, and the registry has no TLS.
export APPTAINER_CONFIGDIR=$work/settings APPTAINER_NOHTTPS=1 XDG_CACHE_HOME=$work/cache

cat >registry.yml <<END
version: 0.1
storage: {filesystem: {rootdirectory: "$work/registry"}}
http: {addr: "127.0.0.1:0"}
END
docker-registry serve registry.yml >registry.log 2>&1 &
registry=$!
until grep -q 'listening on 127' registry.log; do
    kill -0 "$registry"
    sleep 0.1
done
address=$(sed -n 's/.*listening on \(127[.0-9:]*\).*/\1/p' registry.log)
nsrun-rootfs export --quiet "${ROOTFS:-bookworm}" image.oci.tar
skopeo copy --quiet --dest-tls-verify=false oci-archive:image.oci.tar "docker://$address/base:1"

# expect FILE LINE...: what a step has written.
expect() {
    diff <(printf '%s\n' "${@:2}") "$1" || {
        echo "run.sh: $1 was not expected to be so" >&2
        exit 1
    }
    echo "  $1: as it should be"
}

echo "snakemake $(snakemake --version)"
sed "s/IMAGE/$address\\/base:1/" "$here/Snakefile" >Snakefile
snakemake --quiet all --cores 2 --software-deployment-method apptainer
expect sum.txt "a on Debian $version" "b on Debian $version" "uid $(id -u)"

cwltool --version
sed "s/IMAGE/$address\\/base:1/" "$here/count.cwl" >count.cwl
cwltool --quiet --singularity --outdir out count.cwl --file sum.txt >report
expect out/count.txt "3 lines on Debian $version" "network none"
