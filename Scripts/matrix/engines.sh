#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs programs of a Debian root by each engine where the kernel refuses namespaces in each way it can, and
# compares what happens with what is written down below, refusals included. Prints a table of what was seen.
#
#   engines.sh [PROGRAM]...     all of them, or for root and an account without a range the first and the last
#
# A cell says where the program ran or what refused it: see `expected`. It is NO where anything else was seen,
# where something was left behind, or where the root is no longer what it was.
# Needs python3 and libfakechroot; a proot is fetched.

# Some functions are called through trap and by each_caller only, and lib.sh sets project and suite.
# shellcheck disable=SC2154,SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

engine_names=(userns fakechroot proot auto)
programs=(bash python3 guile perl gcc git "static child" "static bash" busybox)
declare -A packages=(
    [python3]=python3 [guile]=guile-3.0 [perl]=perl [gcc]="gcc,libc6-dev" [git]=git
    ["static child"]=busybox-static ["static bash"]=bash-static [busybox]=busybox-static
)
refuse=$work/refuse.py
install -m 755 "$project/Scripts/matrix/refuse.py" "$refuse"
fakechroot=${evidence[libfakechroot]}
[[ -e $fakechroot ]] || fail "there is no $fakechroot" "apt-get install libfakechroot"

# What is to happen, by the kind of a program, what is refused (see refuse.py) and the engine. Either a word
# that `said` knows, for what nsrun itself refuses; or where the program runs:
#
#   in                      in the root, and nothing is said
#   in:ENGINE               in the root, and the notice says by which engine and why
#   child, child:ENGINE     so, but its child is refused by name
#
# fakechroot is put before proot, so a static child is refused where proot would have run it.
read -rd '' expected <<'END' || true
kind     refused             userns   fakechroot  proot    auto
dynamic  -                   in       in          in       in
dynamic  ptrace              in       in          ptrace   in
dynamic  limit               limit    in          in       in:fakechroot
dynamic  namespaces          filter   in          in       in:fakechroot
dynamic  namespaces=EINVAL   lacking  in          in       in:fakechroot
dynamic  mounts              mounts   in          in       in:fakechroot
dynamic  mounts=EACCES       mounts   in          in       in:fakechroot
dynamic  limit+ptrace        limit    in          ptrace   in:fakechroot
dynamic  mounts+ptrace       mounts   in          ptrace   in:fakechroot
parent   -                   in       child       in       in
parent   ptrace              in       child       ptrace   in
parent   limit               limit    child       in       child:fakechroot
parent   namespaces          filter   child       in       child:fakechroot
parent   namespaces=EINVAL   lacking  child       in       child:fakechroot
parent   mounts              mounts   child       in       child:fakechroot
parent   mounts=EACCES       mounts   child       in       child:fakechroot
parent   limit+ptrace        limit    child       ptrace   child:fakechroot
parent   mounts+ptrace       mounts   child       ptrace   child:fakechroot
static   -                   in       static      in       in
static   ptrace              in       static      ptrace   in
static   limit               limit    static      in       in:proot
static   namespaces          filter   static      in       in:proot
static   namespaces=EINVAL   lacking  static      in       in:proot
static   mounts              mounts   static      in       in:proot
static   mounts=EACCES       mounts   static      in       in:proot
static   limit+ptrace        limit    static      ptrace   limit,static,ptrace
static   mounts+ptrace       mounts   static      ptrace   mounts,static,ptrace
END

# What nsrun says, by the words of the table.
declare -A said=(
    [limit]="cannot create user, mount, pid namespaces: the sysctl user.max_user_namespaces is 0"
    [filter]="cannot create a user namespace: a seccomp filter around nsrun, as container engines set up, forbids it"
    [lacking]="cannot create user, mount, pid namespaces: this kernel lacks one of them"
    [mounts]="mounting is refused (a seccomp filter around nsrun, as container engines set up, forbids it)"
    [static]="it is linked statically, as programs in Go are, and"
    [ptrace]="the engine proot cannot be used: ptrace(2) is refused here"
)
# Why auto leaves userns, by what is refused first.
declare -A cause=(
    [limit]=limit [namespaces]=filter ["namespaces=EINVAL"]=lacking [mounts]=mounts ["mounts=EACCES"]=mounts
)

kind_of() {
    case $1 in
    "static child") echo parent ;;
    "static bash" | busybox) echo static ;;
    *) echo dynamic ;;
    esac
}

# command_of PROGRAM: sets `command`, which prints what it reads of /etc/place, and then a child does so.
# shellcheck disable=SC2016 # expanded by the program
command_of() {
    case $1 in
    bash) command=(bash -c 'sleep 900 & read -r line </etc/place; echo "$line"; cat /etc/place') ;;
    "static child") command=(bash -c 'cat /etc/place; busybox cat /etc/place') ;;
    "static bash") command=(bash-static -c 'read -r line </etc/place; echo "$line"; cat /etc/place') ;;
    busybox) command=(busybox sh -c 'read -r line </etc/place; echo "$line"; /bin/cat /etc/place') ;;
    python3)
        # Where only the kernel would refuse it, Python writes what it has compiled into the root.
        command=(python3 -B -c 'import subprocess
print(open("/etc/place").read(), end="", flush=True)
subprocess.run(["cat", "/etc/place"], check=True)')
        ;;
    guile)
        command=(guile -c '(use-modules (ice-9 rdelim))
            (display (call-with-input-file "/etc/place" read-line)) (newline) (force-output)
            (exit (status:exit-val (system* "cat" "/etc/place")))')
        ;;
    perl) command=(perl -e 'open F, "/etc/place"; $| = 1; print <F>; exit(system("cat", "/etc/place") >> 8)') ;;
    gcc)
        command=(sh -ec 'cd /tmp; cat >main.c; gcc -O2 -Wall -Werror -o main main.c; ./main')
        ;;
    git)
        command=(sh -ec 'cd /tmp; export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=b GIT_COMMITTER_NAME=a \
            GIT_COMMITTER_EMAIL=b
            git init -q repository; cp /etc/place repository; git -C repository add .
            git -C repository commit -qm first; git clone -q --no-local repository other
            git -C other show HEAD:place; cat other/place')
        ;;
    esac
}

# What gcc compiles.
cat >"$work/main.c" <<'END'
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char line[64];
    FILE *file = fopen("/etc/place", "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        return 1;
    fputs(line, stdout);
    fflush(stdout);
    return system("cat /etc/place") == 0 ? 0 : 1;
}
END
chmod 644 "$work/main.c"

# judge WORD REFUSED STATUS: whether `$work/out` and `$work/err` are what the word of the table means.
judge() {
    local word=$1 refused=$2 code=$3 part lines wanted
    lines=$(wc -l <"$work/err")
    case $word in
    in | in:* | child | child:*)
        wanted="$token"$'\n'"$token"
        if [[ $word == child* ]]; then
            ((code == 126)) || return 1
            wanted=$token lines=$((lines - 1))
            [[ $(tail -n 1 "$work/err") == "nsrun: cannot run "*"/busybox: ${said[static]}"* ]] || return 1
        else
            ((code == 0)) || return 1
        fi
        [[ $(<"$work/out") == "$wanted" ]] || return 1
        if [[ $word != *:* ]]; then
            ((lines == 0))
        else
            ((lines == 1)) && [[ $(head -n 1 "$work/err") == "nsrun: "*"${said[${cause[${refused%+*}]}]}: running \
with ${word#*:} instead, which does not isolate the host's processes, "* ]]
        fi
        ;;
    *)
        # One line, and the remedy.
        ((code == 125 && lines == 2)) && [[ ! -s $work/out ]] &&
            [[ $(head -n 1 "$work/err") == "nsrun: "* && $(tail -n 1 "$work/err") == "  "* ]] || return 1
        for part in ${word//,/ }; do grep -qF -- "${said[$part]}" "$work/err" || return 1; done
        ;;
    esac
}

# What a run could leave: private directories whose launcher is gone, and processes, which have its mark in their
# environment. Another run of the same user may be under way.
left_behind() {
    local id tree launcher
    id=$("${run[@]}" id -u)
    for tree in {/dev/shm,/tmp}/nsrun-"$id"-*; do
        launcher=${tree##*/nsrun-"$id"-}
        [[ ! -e $tree || -d /proc/${launcher%%-*} ]] || echo "$tree"
    done
    grep -lzs "^NSRUN_MATRIX=$token" /proc/[0-9]*/environ || true
}

# cell PROGRAM REFUSED ENGINE WORD: appends to `cells` what happened.
cell() {
    local program=$1 refused=$2 engine=$3 word=$4 code=0 words=() command
    command_of "$program"
    [[ $refused == - ]] || read -ra words <<<"${refused//+/ }"
    "${run[@]}" env NSRUN_MATRIX="$token" NSRUN_PROOT="$proot" NSRUN_FAKECHROOT="$fakechroot" \
        XDG_CACHE_HOME="$folder/cache" timeout 120 python3 "$refuse" "${words[@]}" -- \
        "$work/nsrun" --engine "$engine" --rootfs "$root" -- "${command[@]}" \
        <"$work/main.c" >"$work/out" 2>"$work/err" || code=$?
    if judge "$word" "$refused" "$code" && [[ -z $(left_behind) ]]; then
        cells+=("$word")
        return
    fi
    cells+=("**NO**")
    status=1
    {
        echo "matrix: $program, $engine, refused $refused: not \"$word\" but status $code"
        head -n 5 "$work/out" "$work/err"
        left_behind | sed 's/^/left behind: /'
    } >&2
}

# fetch_root: sets `root` to a root with the programs and a file that this host has not. It is made once.
fetch_root() {
    local wanted=("${programs[@]}") program include=libc-bin
    if is_root; then
        wanted=("${chosen[@]}")
        root=$work/matrix
    fi
    for program in "${wanted[@]}"; do include+=${packages[$program]:+,${packages[$program]}}; done
    is_root || root=$(engines)/matrix-$(sha256sum <<<"$include" | cut -c1-12)
    [[ -d $root ]] || "$work/nsrun-rootfs" debian --quiet "$suite" "$root" --include "$include"
    echo "$token" >"$root/etc/place"
}

state() { find "$root" -printf '%P %i %m %s %T@ %l\n' 2>/dev/null | sort | sha256sum; }

# table SITUATION POWER RUN...: as whoever it is for.
table() {
    local situation=$1 wanted=("${chosen[@]}") program refused kind words index cells before
    run=("${@:3}")
    before=$(state)
    for program in "${wanted[@]}"; do
        kind=$(kind_of "$program")
        while read -ra words; do
            [[ ${words[0]} == "$kind" ]] || continue
            refused=${words[1]} cells=()
            for index in "${!engine_names[@]}"; do
                cell "$program" "$refused" "${engine_names[index]}" "${words[index + 2]}"
            done
            printf '| %s | %s | %s | %s | %s | %s | %s |\n' \
                "$program" "$situation" "${refused//+/, }" "${cells[@]}"
        done <<<"$expected"
    done
    if [[ $(state) != "$before" ]]; then
        echo "matrix: $root is not what it was" >&2
        status=1
    fi
}

token=place-$$-$RANDOM
chosen=("$@")
if (($# == 0)); then
    chosen=("${programs[@]}")
    if is_root; then chosen=("${programs[0]}" "${programs[-1]}"); fi
fi
# Root's own home is closed to others.
if is_root; then export XDG_CACHE_HOME=$work/cache; fi
# shellcheck disable=SC2034 # for make_engines
rootfs_tool=$work/nsrun-rootfs
make_engines
proot=$(engines)/proot
fetch_root
[[ ! -e /etc/place ]] || fail "this host has an /etc/place" "the root's own would not be told from it"
printf '| program | as | refused | userns | fakechroot | proot | auto |\n'
printf '| --- | --- | --- | --- | --- | --- | --- |\n'
each_caller
exit "$status"
