# SPDX-License-Identifier: Apache-2.0
# The same work by each engine, beside this host's own programs on the same files, started as they are: native has
# neither a root nor a launcher. Where host and rootfs are one Debian release, the programs are the same. Sourced by
# benchmark.sh.
# shellcheck shell=bash disable=SC2154

make_engines
export NSRUN_FAKECHROOT=${evidence[libfakechroot]} NSRUN_PROOT
NSRUN_PROOT=$(engines)/proot

# engine_race NAME ROUNDS NATIVE... :: INSIDE...: a race of a command and what it is in the root.
engine_race() {
    local name=$1 rounds=$2 native=() engine contenders
    shift 2
    while [[ $1 != :: ]]; do
        native+=("$1")
        shift
    done
    shift
    contenders=(:: native "${native[@]}")
    for engine in auto userns fakechroot proot; do
        contenders+=(:: "$engine" "$work/nsrun" --engine "$engine" --rootfs "$root" -- "$@")
    done
    race "engines-$name" --rounds "$rounds" --warm-up 1 "${contenders[@]}"
}

# Into a pipe, for tar does not read what goes to /dev/null.
# shellcheck disable=SC2016 # expanded by the inner shell
pack_up='tar -c -C "$0" . | cat >/dev/null'
# shellcheck disable=SC2016
start_many='i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done'
engine_race launch "$(share_of_rounds 3)" /bin/true :: /bin/true
# Links are followed, for fakechroot's root is made of some: so each engine walks as many files.
for engine in fakechroot proot; do
    seen=$("$work/nsrun" --engine "$engine" --rootfs "$root" -- find -L /usr | wc -l)
    [[ $seen == "$("$work/nsrun" --engine userns --rootfs "$root" -- find -L /usr | wc -l)" ]] ||
        fail "$engine sees $seen files in /usr"
done
engine_race find "$(share_of_rounds 10)" find -L "$root/usr" :: find -L /usr
engine_race tar "$(share_of_rounds 20)" sh -c "$pack_up" "$root/usr/share" \
    :: sh -c "$pack_up" /usr/share
engine_race execs "$(share_of_rounds 20)" sh -c "$start_many" :: sh -c "$start_many"

printf '\n## Engines\n\nOne launch of true:\n\n'
report table engines-launch ms native
printf '\nfind -L /usr:\n\n'
report table engines-find ms native
printf '\ntar of /usr/share:\n\n'
report table engines-tar ms native
printf '\n300 programs, one after another, started by a shell:\n\n'
report table engines-execs ms native
target target engines-find userns native 1.2
target target engines-tar userns native 1.2
target target engines-execs userns native 1.2
