#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fake-driver.sh DIR [VERSION [GLIBC]]: puts into DIR what `nsrun --nvidia` looks for on a host with an NVIDIA GPU:
# libraries and a linker cache, a kernel module's version, device nodes, which lead to /dev/zero and /dev/null, and
# a tool. Its libcuda knows one function, which gives 42. With GLIBC, such as 9.99, libnvidia-ml needs that
# version of the C library. Needs gcc and libc6-dev.
set -euo pipefail

version=${2:-999.12.34}
mkdir -p "$1"/{dev/nvidia-caps,etc,proc/driver/nvidia,usr/{bin,lib}}
cd "$1"
echo "NVRM version: NVIDIA UNIX x86_64 Kernel Module  $version  Thu Jan  1 00:00:00 UTC 1970" \
    >proc/driver/nvidia/version
for node in nvidiactl nvidia-uvm nvidia-caps/nvidia-cap1; do ln -sfn /dev/null "dev/$node"; done
ln -sfn /dev/zero dev/nvidia0

# library NAME SOURCE [OPTION...]
library() {
    gcc -shared -fPIC -Wl,-soname,"$1.so.1" -o "usr/lib/$1.so.$version" -x c - "${@:3}" <<<"$2"
}
library libcuda 'int cuDriverGetVersion(void) { return 42; }'
library libnvidia-ptxjitcompiler 'int jit(void) { return 0; }'
if (($# > 2)); then
    # What is built against a C library of that version: a stand-in for it.
    mkdir -p stub
    gcc -shared -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=<(
        echo "GLIBC_$3 { global: future; };"
    ) -o stub/libc.so.6 -x c - <<<'int future(void) { return 0; }'
    library libnvidia-ml 'int future(void); int ml(void) { return future(); }' \
        -nostdlib -x none stub/libc.so.6
else
    library libnvidia-ml 'int ml(void) { return 0; }'
fi

cat >usr/bin/nvidia-smi <<END
#!/bin/sh
echo "NVIDIA-SMI $version"
END
chmod 755 usr/bin/nvidia-smi
# The links that programs ask for, and a cache of this directory beside the host's own.
PATH=$PATH:/sbin
ldconfig -n usr/lib
echo "$PWD/usr/lib" >etc/ld.so.conf
ldconfig -X -f "$PWD/etc/ld.so.conf" -C "$PWD/etc/ld.so.cache" 2>/dev/null
