#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Devices in a root of one's own: by a specification of the Container Device Interface, and the NVIDIA driver of a
# host without one. There is no GPU needed: the specification is over ordinary devices, and the driver is a stand-in
# that fake-driver.sh makes. Where a real driver is loaded, it is shown as well. Exits with 0 if everything
# printed is what should be. Needs gcc and libc6-dev.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
rootfs=${ROOTFS:-bookworm}
[[ -n $(type -P gcc) ]] || {
    echo "run.sh: this needs packages: apt-get install --no-install-recommends gcc libc6-dev" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./fake-driver.sh "$work/driver"
gcc -o "$work/version" version.c "$work/driver/usr/lib/libcuda.so.1"
# In the place of /etc/cdi, which is the administrator's.
mkdir "$work/cdi"
sed "s|@DRIVER@|$work/driver|" sensor.yaml >"$work/cdi/sensor.yaml"

job=("$nsrun" --preset hpc --rootfs "$rootfs" --ro-bind "$work/version" /opt/version)
sensor=("${job[@]}" --cdi-spec-dir "$work/cdi" --device example.com/sensor=0)
driver=("${job[@]}" --nvidia "--debug-opt=driver-root=$work/driver")

# expect TEXT: shows what comes in, and compares.
expect() {
    local seen
    seen=$(cat)
    printf '  %s\n' "${seen//$'\n'/$'\n'  }"
    [[ $seen == "$1" ]] || {
        echo "run.sh: that was not expected" >&2
        exit 1
    }
}

echo "A device by its specification: node, variable, and a library that the linker finds"
# shellcheck disable=SC2016 # expanded inside
"${sensor[@]}" -- sh -c 'head -c 2 /dev/sensor0 | od -An -tx1; echo $SENSOR_UNIT; /opt/version' |
    expect $' 00 00\nkelvin\nthe driver says 42'

echo "Ranks that share their namespaces"
"${sensor[@]}" --join auto -- /opt/version | expect "the driver says 42"

echo "The NVIDIA driver of a host without a specification (a stand-in)"
"${driver[@]}" -- sh -c 'nvidia-smi; /opt/version; ls -d /dev/nvidia0 /usr/lib/nsrun-nvidia/libcuda*' |
    expect "NVIDIA-SMI 999.12.34
the driver says 42
/dev/nvidia0
/usr/lib/nsrun-nvidia/libcuda.so
/usr/lib/nsrun-nvidia/libcuda.so.1"

echo "Libraries that are not of the kernel module's version"
sed -i 's/999.12.34/998.1/' "$work/driver/proc/driver/nvidia/version"
if message=$("${driver[@]}" -- true 2>&1); then exit 1; fi
echo "  ${message%%$'\n'*}"
[[ $message == *"is not of the version 998.1, which its kernel module has"* ]]

if [[ -e /proc/driver/nvidia/version ]]; then
    echo "This host's own driver"
    "${job[@]}" --nvidia -- nvidia-smi -L
else
    echo "This host has no NVIDIA driver: nothing was seen on hardware"
fi
