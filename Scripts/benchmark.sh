#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures nsrun beside a C program that does the same, bubblewrap, unshare and ch-run, and
# nsrun-rootfs beside tar, dpkg-deb and mmdebstrap, on this machine, as an ordinary user, and prints
# Markdown. Started by root, it installs the rivals that are missing and measures as the account
# nsrun-test.
#
#   --quick      few rounds: a look, not a measurement
#   --svg FILE   draw the launch times as a bar chart
#   SECTION...   these parts of Scripts/benchmark alone, such as launch or join
#
# NSRUN_BENCHMARK_BINARY, NSRUN_BENCHMARK_ROOTFS_BINARY (nsrun-rootfs) and NSRUN_BENCHMARK_ROOTFS name
# binaries and a rootfs to use as they are.
# A missed target is reported; it is no failure.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

parts=$project/Scripts/benchmark
usage="usage: Scripts/benchmark.sh [--quick] [--svg FILE] [SECTION]..."
all_sections=(
    launch reuse throughput join relay tests runner emulation image binds bwrap memory mpi engines rootfs
)
sections=()
# Rounds of the launch race, where one takes some 20 ms; the sections scale it to theirs.
rounds=300
svg=
arguments=()
while (($# > 0)); do
    case $1 in
    --quick)
        rounds=20
        arguments+=(--quick)
        ;;
    --svg)
        (($# > 1)) || fail "--svg needs a FILE" "$usage"
        svg=$(realpath -m "$2")
        shift
        ;;
    -h | --help)
        echo "$usage"
        exit
        ;;
    -*) fail "unknown option $1" "$usage" ;;
    *)
        [[ " ${all_sections[*]} " == *" $1 "* ]] ||
            fail "there is no section $1" "there are ${all_sections[*]}"
        sections+=("$1")
        arguments+=("$1")
        ;;
    esac
    shift
done

rivals=(
    bubblewrap charliecloud dpkg fuse-device gcc libc6-dev libfakechroot libopenmpi-dev
    musl-tools openmpi-bin python3 qemu-user-static squashfs-tools squashfuse subordinate-ids uidmap
    "${runner_packages[@]}"
)
evidence+=(
    [bubblewrap]=bwrap
    [charliecloud]=ch-run
    [dpkg]=dpkg-deb
    [gcc]=gcc
    [libc6-dev]=/usr/include/stdio.h
    [musl-tools]=musl-gcc
    [python3]=python3
    [qemu-user-static]=qemu-arm-static
    [squashfs-tools]=mksquashfs
)

if is_root; then
    restore_devices_at_exit
    prepare_account "${rootfs_packages[@]}" "${rivals[@]}"
    say "measuring as $account"
    # The account may not write where the chart is to go.
    drawn=$copy/.build/benchmark.svg
    [[ -z $svg ]] || arguments+=(--svg "$drawn")
    unprivileged env NSRUN_BENCHMARK_BINARY="${NSRUN_BENCHMARK_BINARY-}" \
        NSRUN_BENCHMARK_ROOTFS_BINARY="${NSRUN_BENCHMARK_ROOTFS_BINARY-}" \
        NSRUN_BENCHMARK_ROOTFS="${NSRUN_BENCHMARK_ROOTFS-}" \
        "$copy/Scripts/benchmark.sh" "${arguments[@]}" 9<&-
    [[ -z $svg ]] || install -D -m 644 "$drawn" "$svg"
    exit
fi

binary=${NSRUN_BENCHMARK_BINARY-}
rootfs_tool=${NSRUN_BENCHMARK_ROOTFS_BINARY-}
root=${NSRUN_BENCHMARK_ROOTFS-}
prepare_host "${build_packages[@]}" "${rootfs_packages[@]}" "${rivals[@]}"
[[ -n $binary ]] || binary=$(build_release)
[[ -n $rootfs_tool ]] || rootfs_tool=$(build_rootfs_tool)
if [[ -z $root ]]; then
    make_rootfs
    root=$(rootfs)
fi

export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A copy, as an installed one is: the file that the linker wrote lies otherwise in the page cache.
cp "$binary" "$work/nsrun"
cp "$rootfs_tool" "$work/nsrun-rootfs"
# With the C library of nsrun, which starts faster than glibc. The headers of Linux are beside glibc's.
musl-gcc -O2 -static -idirafter /usr/include -idirafter "/usr/include/$(uname -m)-linux-gnu" \
    -o "$work/floor" "$parts/floor.c"
gcc -O2 -static -o "$work/peak" "$parts/peak.c"

# race SAMPLES [OPTION...] :: NAME COMMAND...: see race.py.
race() { python3 "$parts/race.py" "$work/$1" "${@:2}"; }

# report VERB SAMPLES ...: see report.py.
report() { python3 "$parts/report.py" "$1" "$work/$2" "${@:3}"; }

# target VERB SAMPLES ...: a row of the table of targets, printed at the end.
target() { report "$@" >>"$work/targets"; }

# share_of_rounds N: an N-th of the rounds, for what takes longer, but enough for a median.
share_of_rounds() { echo $((rounds / $1 > 2 ? rounds / $1 : 3)); }

cd /
((${#sections[@]} > 0)) || sections=("${all_sections[@]}")
: >"$work/targets"
for part in contenders machine "${sections[@]}"; do
    # shellcheck source=/dev/null
    source "$parts/$part.sh"
    if [[ $part == launch && -n $svg ]]; then
        mkdir -p "$(dirname "$svg")"
        report medians launch µs |
            python3 "$parts/chart.py" "$svg" "Launching true in a Debian root" µs
    fi
done

printf '\n## Targets\n\n| | measured | target | |\n| --- | ---: | ---: | --- |\n'
cat "$work/targets"
