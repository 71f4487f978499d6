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

build_packages=(libcap-dev pkg-config)
rootfs_packages=(mmdebstrap debian-archive-keyring)

# What shows that a package is there: a command, or a file by its absolute path.
declare -A evidence=(
    [debian-archive-keyring]=/usr/share/keyrings/debian-archive-keyring.gpg
    [libcap-dev]=/usr/include/sys/capability.h
    [mmdebstrap]=mmdebstrap
    [pkg-config]=pkg-config
    [rsync]=rsync
    [shellcheck]=shellcheck
    [uidmap]=newuidmap
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

# sudo may ask for a password, but only somebody who can answer.
can_use_sudo() {
    type -P sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }
}

is_installed() {
    local path=${evidence[$1]}
    if [[ $path == /* ]]; then [[ -e $path ]]; else type -P "$path" >/dev/null; fi
}

# mmdebstrap unpacks files of many owners. Root can; others need a range of subordinate ids.
has_subordinate_ids() {
    local name
    name=$(id -un)
    grep -qsE "^($name|$EUID):" /etc/subuid && grep -qsE "^($name|$EUID):" /etc/subgid
}

# The command that gives this user the first range that nobody has.
grant_of_subordinate_ids() {
    local first
    first=$(cat /etc/subuid /etc/subgid 2>/dev/null |
        awk -F: '{ end = $2 + $3; if (end > first) first = end }
            END { print first < 100000 ? 100000 : first }')
    echo "usermod --add-subuids $first-$((first + 65535))" \
        "--add-subgids $first-$((first + 65535)) $(id -un)"
}

# prepare_host PACKAGE...: sees to it that the packages are there, and what it takes to make the
# rootfs where that is missing. What needs privilege is one list of commands: root runs it, sudo
# runs it, or the administrator is asked to.
prepare_host() {
    type -P swift >/dev/null ||
        fail "there is no Swift toolchain" "install Swift 6.2 or newer and put swift in PATH"

    local package command packages=("$@") missing=() commands=() words
    if [[ ! -d $(rootfs) ]]; then
        packages+=("${rootfs_packages[@]}")
        is_root || packages+=(uidmap)
    fi
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) ||
        commands+=("apt-get update" "apt-get install -y --no-install-recommends ${missing[*]}")
    if [[ ! -d $(rootfs) ]] && ! is_root && ! has_subordinate_ids; then
        commands+=("$(grant_of_subordinate_ids)")
    fi
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

# Where the ordinary user keeps root file systems: see RootfsStore.
store() {
    if is_root; then
        echo "$(account_home)/.local/share/nsrun/rootfs"
    else
        echo "${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs"
    fi
}

rootfs() { echo "$(store)/$suite"; }

# The Debian mirrors that apt uses here, whatever releases it follows.
debian_mirrors() {
    # shellcheck disable=SC2016 # apt-get expands the fields
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|//p' | sort -u
}

# Makes the rootfs, once. It goes through an archive, so that every file belongs to the ordinary
# user, who can then read, change and remove all of it; and it appears by a rename, whole or not at
# all.
make_rootfs() (
    store=$(store)
    unprivileged mkdir -p "$store"
    exec {lock}<"$store"
    flock "$lock"
    [[ ! -d $store/$suite ]] || exit 0

    say "making the rootfs $store/$suite"
    mode=unshare
    if is_root; then mode=root; fi
    proxy=$(apt-config dump --format '%F "%v";%n' Acquire::http::Proxy Acquire::https::Proxy)
    mapfile -t mirrors < <(debian_mirrors)
    # Only a run that was killed outright has left something: the lock is ours.
    unprivileged rm -rf "$store/.$suite".*
    trap 'unprivileged rm -rf "$store/.$suite".*' EXIT
    new=$(unprivileged mktemp -d "$store/.$suite.XXXXXX")
    mmdebstrap --quiet --mode="$mode" --variant=minbase ${proxy:+--aptopt="$proxy"} \
        "$suite" - "${mirrors[@]}" |
        unprivileged tar -xp -C "$new" --exclude='./dev/*'
    unprivileged chmod 755 "$new"
    unprivileged mv -T "$new" "$store/$suite"
)

# For root: does all that needs privilege, and puts a copy of the project where the account can
# build it. Sets `copy`. One caller at a time, until its shell ends.
prepare_account() {
    getent passwd "$account" >/dev/null || useradd --create-home --shell /bin/bash "$account"
    prepare_host "${build_packages[@]}" rsync
    unprivileged swift --version >/dev/null 2>&1 ||
        fail "the account $account cannot run $(type -P swift)" \
            "install the Swift toolchain where every user can read it, such as /opt"
    copy=$(account_home)/nsrun
    unprivileged mkdir -p "$copy"
    exec 9<"$copy"
    flock 9
    # rsync leaves alone what has not changed, so that the next build there is a short one.
    rsync -a --delete --exclude=/.git --exclude='.build*' \
        --chown="$account:$(id -gn "$account")" "$project/" "$copy/"
    make_rootfs
}

# Runs a script of the copy as the account.
run_copy() {
    say "going on as $account in $copy"
    unprivileged "$copy/$1" "${@:2}" 9<&-
}

# Builds the command as it ships and prints where it is.
build_release() {
    say "building nsrun"
    "$project/Scripts/build.sh"
}
