# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts: what a Debian host needs for nsrun, the account that stands in for root,
# and the root file system. Sourced by bash with `set -euo pipefail`.
# shellcheck shell=bash

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=bookworm
# Who builds and runs when root starts a script: nsrun is for ordinary users, and run by root it
# would show nothing.
account=nsrun-test
export SWIFT_BACKTRACE=enable=no
# A command that fails in $( ) fails the script, as one outside does.
shopt -s inherit_errexit

# What is in the root that MPI is tried with, as nsrun-rootfs takes it: either family, and a compiler.
# shellcheck disable=SC2034
mpi_packages=openmpi-bin,libopenmpi-dev,mpich,libmpich-dev,gcc,libc6-dev
build_packages=(
    libacl1-dev libarchive-dev libbz2-dev libcap-dev liblz4-dev liblzma-dev libseccomp-dev libyaml-dev libzstd-dev
    musl-dev pkg-config zlib1g-dev
)
# shellcheck disable=SC2034 # named by package.sh
package_needs=(debhelper dpkg-dev lintian)
# shellcheck disable=SC2034 # named by the scripts that make the rootfs
rootfs_packages=(debian-archive-keyring mmdebstrap)
# shellcheck disable=SC2034 # named by those that run Examples/buildbarn-runner
runner_packages=(protobuf-compiler protobuf-compiler-grpc python3-grpcio python3-protobuf)

# What shows that a package is there: a command, or a file by its absolute path.
declare -A evidence=(
    [debian-archive-keyring]=/usr/share/keyrings/debian-archive-keyring.gpg
    [debhelper]=dh
    [dpkg-dev]=dpkg-buildpackage
    [gcc]=gcc
    [libacl1-dev]=/usr/lib/$(uname -m)-linux-gnu/libacl.a
    [libarchive-dev]=/usr/include/archive.h
    [libbz2-dev]=/usr/lib/$(uname -m)-linux-gnu/libbz2.a
    [libc6-dev]=/usr/include/stdio.h
    [libcap-dev]=/usr/include/sys/capability.h
    [libfakechroot]=/usr/lib/$(uname -m)-linux-gnu/fakechroot/libfakechroot.so
    [liblz4-dev]=/usr/lib/$(uname -m)-linux-gnu/liblz4.a
    [liblzma-dev]=/usr/lib/$(uname -m)-linux-gnu/liblzma.a
    [libopenmpi-dev]=mpicc.openmpi
    [musl-dev]=/usr/lib/$(uname -m)-linux-musl/libc.a
    [libseccomp-dev]=/usr/include/seccomp.h
    [lintian]=lintian
    [libyaml-dev]=/usr/include/yaml.h
    [libzstd-dev]=/usr/lib/$(uname -m)-linux-gnu/libzstd.a
    [mmdebstrap]=mmdebstrap
    [openmpi-bin]=mpirun.openmpi
    [passt]=pasta
    [pkg-config]=pkg-config
    [protobuf-compiler]=protoc
    [protobuf-compiler-grpc]=grpc_python_plugin
    [python3-grpcio]=/usr/lib/python3/dist-packages/grpc
    [python3-protobuf]=/usr/lib/python3/dist-packages/google/protobuf
    [python3]=python3
    [rsync]=rsync
    [shellcheck]=shellcheck
    [squashfs-tools]=mksquashfs
    [squashfuse]=squashfuse_ll
    [uidmap]=newuidmap
    [zlib1g-dev]=/usr/include/zlib.h
)

say() { printf '==> %s\n' "$*" >&2; }

# fail MESSAGE [REMEDY...]
fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    shift
    (($# == 0)) || printf '  %s\n' "$@" >&2
    exit 1
}

is_root() { ((EUID == 0)); }

# need_root_on_x86 WHY-ROOT WHY-X86: ends a script, well, that has nothing to try for others or elsewhere.
need_root_on_x86() {
    is_root || { say "only root can $1: nothing is tried here"; exit; }
    [[ $(uname -m) == x86_64 ]] || { say "$2 on x86-64 only: nothing is tried here"; exit; }
}

# sudo may ask for a password, but only somebody who can answer.
can_use_sudo() {
    type -P sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }
}

is_installed() {
    local path=${evidence[$1]}
    if [[ $path == /* ]]; then [[ -e $path ]]; else type -P "$path" >/dev/null; fi
}

# The ordinary user: the caller, or who stands in for root.
ordinary_user() { if is_root; then echo "$account"; else id -un; fi; }

has_subordinate_ids() {
    local name
    name=$(ordinary_user)
    grep -qsE "^($name|$(id -u "$name")):" /etc/subuid &&
        grep -qsE "^($name|$(id -u "$name")):" /etc/subgid
}

# The command that gives the ordinary user the first range that nobody has.
grant_of_subordinate_ids() {
    local first
    first=$(cat /etc/subuid /etc/subgid 2>/dev/null |
        awk -F: '{ end = $2 + $3; if (end > first) first = end }
            END { print first < 100000 ? 100000 : first }')
    echo "usermod --add-subuids $first-$((first + 65535))" \
        "--add-subgids $first-$((first + 65535)) $(ordinary_user)"
}

# The needs that are devices.
declare -A devices=([fuse-device]=/dev/fuse [tun-device]=/dev/net/tun)

# Whether the ordinary user may open a device, as udev lets everybody.
can_use() { [[ $(stat -c %A "$1" 2>/dev/null) == c??????rw? ]]; }

# For root: the devices get their modes back when the shell ends.
restore_devices_at_exit() {
    local device mode commands=()
    for device in "${devices[@]}"; do
        mode=$(stat -c %a "$device" 2>/dev/null) || continue
        commands+=("chmod $mode $device;")
    done
    # shellcheck disable=SC2064 # now
    trap "${commands[*]}" EXIT
}

# prepare_host NEED...: sees to it that packages are there, a range of subordinate ids where one of the needs is
# `subordinate-ids`, and a device that everybody can open where one is of `devices`. What takes privilege is one list
# of commands: root runs it, sudo runs it, or the administrator is asked to.
prepare_host() {
    type -P swift >/dev/null ||
        fail "there is no Swift toolchain" "install Swift 6.2 or newer and put swift in PATH"

    local need command missing=() commands=() words
    for need; do
        if [[ $need == subordinate-ids ]]; then
            has_subordinate_ids || commands+=("$(grant_of_subordinate_ids)")
        elif [[ -v devices[$need] ]]; then
            [[ -e ${devices[$need]} ]] || commands+=("modprobe ${need%-device}")
            can_use "${devices[$need]}" || commands+=("chmod 666 ${devices[$need]}")
        else
            is_installed "$need" || missing+=("$need")
        fi
    done
    ((${#missing[@]} == 0)) || commands=(
        "apt-get update" "apt-get install -y --no-install-recommends ${missing[*]}"
        "${commands[@]}"
    )
    ((${#commands[@]} > 0)) || return 0

    local privileged=()
    if ! is_root; then
        can_use_sudo || fail "this host lacks something, and you cannot install it" \
            "ask the administrator to run:" "${commands[@]/#/  }"
        privileged=(sudo)
    fi
    for command in "${commands[@]}"; do
        say "$command"
        read -ra words <<<"$command"
        "${privileged[@]}" env DEBIAN_FRONTEND=noninteractive "${words[@]}" >&2
    done
}

account_home() { getent passwd "$account" | cut -d: -f6; }

# Runs a command as an ordinary user: as the caller, or for root as the account, at its home.
unprivileged() {
    if ! is_root; then
        "$@"
        return
    fi
    local home
    home=$(account_home)
    runuser -u "$account" -- env -i -C "$home" HOME="$home" USER="$account" LOGNAME="$account" \
        PATH="$PATH" TERM="${TERM:-dumb}" LANG=C.UTF-8 "$@"
}

# Where the caller, an ordinary user, keeps the rootfs: see RootFilesystemStore.
rootfs() { echo "${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs/$suite"; }

# Makes the rootfs, once, as any user of nsrun would.
make_rootfs() {
    [[ -d $(rootfs) ]] || "$(build_rootfs_tool)" debian "$suite" "$suite"
}

# Where make_engines puts its proot.
engines() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/nsrun-tests/engines"; }

# use_suites FOLDER SUITE...: sets `apt` to options by which apt's commands know these suites of Debian, from whatever mirror
# this host's own Debian comes from, and keep what they know in FOLDER.
use_suites() {
    local folder=$1 mirror name
    # shellcheck disable=SC2016 # apt-get's own
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | sed 1q)
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    for name in "${@:2}"; do
        echo "deb [signed-by=${evidence[debian-archive-keyring]}] $mirror $name main"
    done >"$folder/sources.list"
    # shellcheck disable=SC2034 # the caller's
    apt=(
        -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o Acquire::Check-Valid-Until=false
    )
}

# A proot of Debian sid, for those of the stable releases are silently wrong. It brings its own loader and C
# library, and starts through them from where it lies. nsrun-rootfs is built unless `rootfs_tool` names it.
make_engines() {
    local folder work triplet apt
    folder=$(engines)
    [[ ! -x $folder/proot ]] || return 0
    say "a proot of sid"
    work=$(mktemp -d)
    use_suites "$work" sid
    apt-get "${apt[@]}" update >&2
    (cd "$work" && apt-get "${apt[@]}" download proot/sid libtalloc2/sid libc6/sid >&2)
    rm -rf "$folder"
    mkdir -p "$folder"
    "${rootfs_tool:-$(build_rootfs_tool)}" unpack --quiet "$folder/root" "$work"/*.deb
    rm -rf "$work"
    triplet=$(cd "$folder/root/usr/lib" && compgen -G '*-linux-gnu')
    cat >"$folder/proot.partial" <<END
#!/bin/sh
lib=$folder/root/usr/lib/$triplet
exec "\$lib"/ld-linux-*.so.* --library-path "\$lib" $folder/root/usr/bin/proot "\$@"
END
    chmod 755 "$folder/proot.partial"
    mv "$folder/proot.partial" "$folder/proot"
}

# prepare_account NEED...: for root: does all that takes privilege, and puts a copy of the project
# where the account can build it. Sets `copy`. One caller at a time, until its shell ends.
prepare_account() {
    getent passwd "$account" >/dev/null || useradd --create-home --shell /bin/bash "$account"
    prepare_host "${build_packages[@]}" rsync "$@"
    unprivileged swift --version >/dev/null 2>&1 ||
        fail "the account $account cannot run $(type -P swift)" \
            "install the Swift toolchain where every user can read it, such as /opt"
    # git may be told to take packages from a mirror on this machine, which then is not the account's.
    unprivileged git config --global --replace-all safe.directory '*'
    copy=$(account_home)/nsrun
    unprivileged mkdir -p "$copy"
    exec 9<"$copy"
    flock 9
    copy_project "$copy" --chown="$account:$(id -gn "$account")"
}

# copy_project DIRECTORY [OPTION...]: rsync leaves alone what has not changed, so that the next build there is a
# short one.
copy_project() {
    rsync -a --delete --exclude=/.git --exclude=Package.resolved --exclude='.build*' "${@:2}" \
        "$project/" "$1/"
}

# Runs a script of the copy as the account.
run_copy() {
    say "going on as $account in $copy"
    unprivileged "$copy/$1" "${@:2}" 9<&-
}

# Build the two commands as they ship, and print where they are.
build_release() {
    say "building nsrun"
    "$project/Scripts/build.sh" nsrun
}

build_rootfs_tool() {
    say "building nsrun-rootfs"
    "$project/Scripts/build.sh" nsrun-rootfs
}

# What nsrun --generate and nsrun-rootfs generate print, and where it goes; @ stands for the command.
generated_files=(
    man:share/man/man1/@.1
    bash:share/bash-completion/completions/@
    zsh:share/zsh/site-functions/_@
    fish:share/fish/vendor_completions.d/@.fish
)

# named COMMAND KIND:FILE
named() { local file=${2#*:}; echo "${file//@/$1}"; }

# All that is installed, below its prefix.
installed_files() {
    local command file
    for command in nsrun nsrun-rootfs; do
        printf '%s ' "bin/$command"
        for file in "${generated_files[@]}"; do printf '%s ' "$(named "$command" "$file")"; done
    done
}

# install_files PREFIX NSRUN NSRUN-ROOTFS
install_files() {
    local prefix=$1 file
    install -D -m 755 -t "$prefix/bin" "$2" "$3"
    for file in "${generated_files[@]}"; do
        "$2" --generate "${file%%:*}" | install -D -m 644 /dev/stdin "$prefix/$(named nsrun "$file")"
        "$3" generate "${file%%:*}" | install -D -m 644 /dev/stdin "$prefix/$(named nsrun-rootfs "$file")"
    done
}
