#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs tools of Debian as actions of a build: chrooted into an input root, and under nsrun. Prints
# what works as a table, then what an action gets, and what is left of it. Exits with 0 if all of it
# is as it should be. With NSRUN_ALL=1 in the environment rustc, javac and Go are among the tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
rootfs_tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
# shellcheck source-path=SCRIPTDIR
source tools.sh

scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
root=$scratch/root
temporary=$scratch/temporary
mounts=$(</proc/self/mountinfo)

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

# expect TEXT...: shows what comes in, and compares.
expect() {
    local seen
    seen=$(cat)
    printf '  %s\n' "${seen//$'\n'/$'\n'  }"
    diff <(printf '%s\n' "$@") <(printf '%s\n' "$seen") || fail "that was not expected"
}

environment=(HOME=/tmp PATH=/opt/go/bin:/usr/bin:/bin TMPDIR=/tmp)

chrooted() {
    unshare --map-root-user --mount --pid --fork --kill-child \
        ./chroot.sh "$1" "$root" "$temporary" "${environment[@]}" "${@:2}"
}

# The prefix: what a build tool puts before the command of an action.
action=("$nsrun" --preset action --rootfs "$root" --bind "$temporary" /tmp --chdir /work)
for variable in "${environment[@]}"; do
    action+=(--setenv "${variable%%=*}" "${variable#*=}")
done

table=()
add_to_row() {
    local cell
    printf -v cell ' %-*s |' "$2" "$3"
    table[$1]=${table[$1]:-|}$cell
}

# column HEADING WIDTH WORKING COMMAND...: runs each tool by COMMAND. Those that need WORKING are to
# work, or all of them; the others are to complain.
column() {
    local heading=$1 width=$2 working=$3 i seen cell expected
    shift 3
    add_to_row 0 "$width" "$heading"
    add_to_row 1 "$width" ---
    for i in "${!names[@]}"; do
        rm -rf "$temporary"
        mkdir "$temporary"
        seen=$("$@" sh -c "${commands[i]}" 2>&1 </dev/null) || true
        case $seen in
        hello) cell=works ;;
        *"${complaints[i]}"*) cell=${complaints[i]} ;;
        *) cell=unknown ;;
        esac
        expected=${complaints[i]}
        case $working in all | "${needs[i]}") expected=works ;; esac
        [[ $cell == "$expected" ]] ||
            fail "${names[i]}, $heading: '$expected' was expected, not:" "$seen"
        add_to_row $((i + 2)) "$width" "$cell"
    done
}

name_column() {
    local i
    add_to_row 0 15 ""
    add_to_row 1 15 ---
    for i in "${!names[@]}"; do add_to_row $((i + 2)) 15 "${names[i]}"; done
}

# All there is in the input root, with times of change.
listing() { find "$root" -printf '%P %y %m %s %T@ %C@\n' | sort; }

# Places to mount on, which an input root need not have.
remove_mount_points() {
    rm -rf "${root:?}"/{dev,home,proc,root,run,sys,tmp,var} "$root"/etc/{group,passwd}
}

make_input_root "$root"
name_column
column "chroot" 32 none chrooted bare
column "chroot with /proc" 32 /proc chrooted proc
remove_mount_points
column "nsrun" 5 all "${action[@]}" --
remove_mount_points
before=$(listing)
column "--ephemeral" 11 all "${action[@]}" --ephemeral --
diff <(echo "$before") <(listing) || fail "--ephemeral has changed the input root"
chmod -R a-w "$root"
column "not writable" 12 all "${action[@]}" --
chmod -R u+w "$root"
printf '%s\n' "${table[@]}"

echo "Directories and environment:"
"${action[@]}" -- env | sort |
    expect HOME=/tmp PATH=/opt/go/bin:/usr/bin:/bin PWD=/work TMPDIR=/tmp
"${action[@]}" -- sh -c 'echo built >output; echo for a while >/tmp/note'
cat "$root/work/output" "$temporary/note" | expect "built" "for a while"

echo "The command is looked for in the input root:"
mkdir "$scratch/bin" "$root/work/bin"
for place in "$scratch" "$root/work"; do
    printf '#!/bin/sh\necho %s\n' "${place##*/}" >"$place/bin/where"
    chmod +x "$place/bin/where"
done
PATH=$scratch/bin:$PATH "${action[@]}" --setenv PATH /work/bin -- where | expect work
{ PATH=$scratch/bin:$PATH "${action[@]}" -- where 2>/dev/null || echo "exit status $?"; } |
    expect "exit status 127"

echo "The network, and that of the host when asked for:"
interfaces() { sed -n 's/^ *\([^ :]*\):.*/\1/p'; }
"${action[@]}" -- cat /proc/net/dev | interfaces | expect lo
cmp <(interfaces </proc/net/dev) <("${action[@]}" --network host -- cat /proc/net/dev | interfaces)

# cancel SIGNAL [PARENT...]: starts an action, below PARENT, ends what was started by SIGNAL, and
# waits until no process has the action's output any more.
cancel() {
    local output started status=0
    # shellcheck disable=SC2016 # expanded inside
    exec {output}< <(exec "${@:2}" "${action[@]}" -- sh -c '
        setsid sh -c "trap \"\" HUP INT TERM; echo; exec sleep 60" &
        sh -c "echo; exec sleep 60" &
        echo
        wait')
    started=$!
    for _ in 1 2 3; do read -r -t 60 -u "$output"; done
    kill -s "$1" "$started"
    timeout 10 cat <&"$output" || fail "something lives on"
    wait "$started" || status=$?
    echo "nothing runs, exit status $status"
}

echo "Cancelled by TERM, by KILL, and when what has started nsrun is killed:"
cancel TERM | expect "nothing runs, exit status 143"
cancel KILL | expect "nothing runs, exit status 137"
# shellcheck disable=SC2016 # expanded by that shell
cancel KILL sh -c '"$@"; exit' sh | expect "nothing runs, exit status 137"

echo "Afterwards:"
rm -rf "$root"
diff - /proc/self/mountinfo <<<"$mounts"
echo "  the input root is removed, nothing is mounted"
