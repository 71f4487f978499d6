# SPDX-License-Identifier: Apache-2.0
# What was measured on. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
load=$(cut -d' ' -f1-3 /proc/loadavg)
system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' "$root/etc/os-release")
missing=()
for file in /etc/passwd /etc/group /etc/resolv.conf /etc/hosts; do
    [[ -e $root$file ]] || missing+=("$file")
done
cat <<END
# Benchmark

- Linux $(uname -r), $(nproc) × ${processor:-$(uname -m)}, load at the start $load
- $("$work/nsrun" --version), $(bwrap --version), ch-run $(ch-run --version 2>&1),
  $(unshare --version | sed 's/.* from //')
- rootfs: $system${missing:+, without ${missing[*]}}
- contenders run in turn; medians, and medians of the ratios within each round
END
