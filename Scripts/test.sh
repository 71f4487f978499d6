#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the release and runs all tests: unit tests, launch tests of the release binary on a real
# Debian rootfs, and the examples. Always as an ordinary user: started by root, it installs what is
# missing, makes the account nsrun-test and goes on as that.
#
#   --all        run the examples marked "# On demand", all parts of the others, and the tables of
#                Scripts/matrix too, of which root else runs the self-test of faults.sh and a tenth
#                of load.sh
#   --runner     run Examples/buildbarn-runner, which builds gRPC, and all parts of it, though of a debug
#                build
#   --sanitize   build the tests with AddressSanitizer
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

all=false
runner=false
runner_configuration=release
swift_options=(--package-path "$project")
for option; do
    case $option in
    --all)
        all=true
        export NSRUN_ALL=1
        ;;
    --runner)
        runner=true
        runner_configuration=debug
        ;;
    --sanitize)
        swift_options+=(--sanitize=address --scratch-path "$project/.build-sanitize")
        # XCTest itself leaks.
        export ASAN_OPTIONS=detect_leaks=0
        ;;
    *) fail "unknown option $option" "usage: Scripts/test.sh [--all] [--runner] [--sanitize]" ;;
    esac
done

# The account has nothing to do but this. Zombies are not its own to bury.
check_account_is_idle() {
    local processes
    processes=$(pgrep -u "$account" -r D,R,S,T -a) || return 0
    fail "$1 the tests, processes of $account run:" "$processes"
}

# What the tests use beyond what the build needs.
test_needs=(
    "${package_needs[@]}" "${rootfs_packages[@]}" automake buildah cargo cmake dbus-daemon docker-registry dpkg fish flatpak
    fuse-device gcc git iproute2 libc6-dev libfakechroot lz4 make meson openssl passt patchelf perl python3-pytest
    python3-pytest-xdist qemu-user-static skopeo squashfs-tools squashfuse subordinate-ids tun-device uidmap umoci zsh
)
if $all; then test_needs+=(bazel-bootstrap bazel-rules-java libopenmpi-dev openmpi-bin); fi
if $all || $runner; then test_needs+=("${runner_packages[@]}"); fi
# By path where another one of the name, a user's own, would not do.
evidence+=(
    [automake]=/usr/bin/automake
    [bazel-bootstrap]=/usr/bin/bazel
    [bazel-rules-java]=/usr/share/bazel/rules/java
    [buildah]=buildah
    [cargo]=/usr/bin/cargo
    [cmake]=/usr/bin/cmake
    [dbus-daemon]=dbus-run-session
    [docker-registry]=docker-registry
    [dpkg]=dpkg-deb
    [fish]=fish
    [flatpak]=flatpak
    [git]=git
    [iproute2]=ip
    [lz4]=lz4
    [make]=make
    [meson]=/usr/bin/meson
    [openssl]=openssl
    [patchelf]=patchelf
    [perl]=perl
    [python3-pytest]=/usr/bin/pytest-3
    [python3-pytest-xdist]=/usr/lib/python3/dist-packages/xdist
    [qemu-user-static]=qemu-arm-static
    [skopeo]=skopeo
    [umoci]=umoci
    [zsh]=zsh
)

# run_matrices NSRUN NSRUN_ROOTFS: the slow tables, each for the situations its caller can be in.
run_matrices() {
    local script status=0
    for script in "$project"/Scripts/matrix/*.sh; do
        say "${script#"$project"/}"
        NSRUN=$1 NSRUN_ROOTFS=$2 "$script" || status=$?
    done
    return "$status"
}

# try_faults NSRUN OPTION...: launches in which a system call fails. Only root can look at what they leave.
try_faults() {
    say "Scripts/matrix/faults.sh ${*:2}"
    NSRUN=$1 "$project/Scripts/matrix/faults.sh" "${@:2}" || {
        local status=$?
        say "FAILED: Scripts/matrix/faults.sh"
        return "$status"
    }
}

if is_root; then
    restore_devices_at_exit
    prepare_account "${test_needs[@]}"
    check_account_is_idle before
    status=0
    run_copy Scripts/test.sh "$@" || status=$?
    check_account_is_idle after
    for script in "$project"/Tests/*/as-root*.sh; do
        say "${script#"$project"/}"
        NSRUN_TEST_BINARY=$copy/.build-embedded/nsrun \
            NSRUN_ROOTFS_TEST_BINARY=$copy/.build-rootfs/nsrun-rootfs "$script" || {
            status=$?
            say "FAILED: ${script#"$project"/}"
        }
    done
    # The faults themselves are among the matrices: some are known and not mended, see faults/known.md.
    try_faults "$copy/.build-embedded/nsrun" --self-test || status=$?
    say "Scripts/matrix/load.sh --of 10"
    NSRUN=$copy/.build-embedded/nsrun NSRUN_ROOTFS=$copy/.build-rootfs/nsrun-rootfs \
        "$project/Scripts/matrix/load.sh" --of 10 || {
        status=$?
        say "FAILED: Scripts/matrix/load.sh"
    }
    if $all; then
        run_matrices "$copy/.build-embedded/nsrun" "$copy/.build-rootfs/nsrun-rootfs" ||
            status=$?
    fi
    exit "$status"
fi

# Each run has places of its own there, in which a run inside of it would not find what is tested.
case $project/ in
/tmp/* | /var/tmp/* | /dev/shm/*)
    prepare_host rsync
    copy=$HOME/.cache/nsrun-tests/checkout
    mkdir -p "$copy"
    copy_project "$copy"
    say "going on in $copy"
    exec "$copy/Scripts/test.sh" "$@"
    ;;
esac

passed=0
failures=()

pass() { passed=$((passed + $1)); }
miss() {
    failures+=("$1")
    say "FAILED: $1"
}

# Out of the results of swift test: how many tests passed, then the names of those that did not. One that
# was skipped did not.
sum_up() {
    awk '/<testcase / {
            if (match($0, /classname="[^"]*"/)) class = substr($0, RSTART + 11, RLENGTH - 12)
            if (match($0, / name="[^"]*"/)) name = substr($0, RSTART + 7, RLENGTH - 8)
            tests++
            bad = 0
        }
        /<(failure|error|skipped)[ >\/]/ && !bad { bad = 1; names[++failed] = class "." name }
        END { print tests - failed; for (i = 1; i <= failed; i++) print names[i] }'
}

run_swift_tests() {
    local results status=0 summary=() name
    results=$(mktemp -d)
    swift test "${swift_options[@]}" --xunit-output "$results/results.xml" || status=$?
    mapfile -t summary < <(find "$results" -type f -exec cat {} + | sum_up)
    rm -r "$results"
    if [[ " ${swift_options[*]} " != *" --sanitize"* ]]; then
        "$project/Scripts/callgraph.py" "$project/.build/debug" || miss "Scripts/callgraph.py"
    fi
    for name in "${summary[@]:1}"; do miss "$name"; done
    pass "${summary[0]}"
    ((summary[0] > 0)) || miss "swift test passed no test"
    ((status == 0 || ${#failures[@]} > 0)) || miss "swift test: exit status $status"
}

# An example passes when its run.sh exits with 0; what it prints is shown if it does not. It finds nsrun
# in NSRUN, nsrun-rootfs in NSRUN_ROOTFS and a rootfs in ROOTFS.
run_examples() {
    local script whole log
    log=$(mktemp)
    for script in "$project"/Examples/*/run.sh; do
        whole=${NSRUN_ALL-}
        if $runner && [[ $script == "$runner_script" ]]; then
            whole=1
        elif ! $all && grep -q '^# On demand' "$script"; then
            continue
        fi
        say "${script#"$project"/}"
        if NSRUN_ALL=$whole NSRUN=$binary NSRUN_ROOTFS=$rootfs_tool ROOTFS=$(rootfs) \
            CONFIGURATION=$runner_configuration "$script" >"$log" 2>&1; then
            pass 1
        else
            cat "$log"
            miss "$script"
        fi
    done
    rm "$log"
}

# What a run could leave behind: mounts, and processes that live among other mounts than ours.
traces() {
    local process namespace own
    cut -d' ' -f5 /proc/self/mountinfo | sed 's/^/mount /'
    own=$(readlink /proc/self/ns/mnt)
    for process in $(pgrep -u "$EUID"); do
        # Pid 1 of a run does not show its own. One that has ended meanwhile has none.
        namespace=$(readlink "/proc/$process/ns/mnt") ||
            grep -q '^State:\s[^ZX]' "/proc/$process/status" 2>/dev/null || continue
        [[ $namespace == "$own" ]] || echo "process $process $(<"/proc/$process/comm")"
    done
}

# The longest build goes beside the others, much of which one processor does.
runner_script=$project/Examples/buildbarn-runner/run.sh
start_runner_build() {
    runner_log=$(mktemp)
    CONFIGURATION=$runner_configuration "$runner_script" --build >"$runner_log" 2>&1 &
    runner_build=$!
}
await_runner_build() {
    wait "$runner_build" || {
        cat "$runner_log"
        miss "$runner_script --build"
    }
    rm "$runner_log"
}

prepare_host "${build_packages[@]}" "${test_needs[@]}"
if $runner; then start_runner_build; fi
binary=$(build_release)
rootfs_tool=$(build_rootfs_tool)
make_rootfs
make_engines
if $runner; then await_runner_build; fi
export NSRUN_TEST_BINARY=$binary NSRUN_ROOTFS_TEST_BINARY=$rootfs_tool NSRUN_TEST_ROOTFS
export NSRUN_TEST_PROOT NSRUN_TEST_FAKECHROOT=${evidence[libfakechroot]}
NSRUN_TEST_ROOTFS=$(rootfs)
NSRUN_TEST_PROOT=$(engines)/proot

# Everything that install.sh promises is there, and what it installed runs.
check_installation() {
    local prefix=$1 file status=0
    for file in $(installed_files); do
        [[ -s $prefix/$file ]] || { say "there is no $file"; status=1; }
    done
    [[ $("$prefix/bin/nsrun" -- echo installed) == installed ]] &&
        "$prefix/bin/nsrun-rootfs" --version >/dev/null &&
        grep -q '^.TH NSRUN 1' "$prefix/share/man/man1/nsrun.1" &&
        grep -q '^.TH NSRUN\\-ROOTFS 1' "$prefix/share/man/man1/nsrun-rootfs.1" &&
        bash -n "$prefix/share/bash-completion/completions/nsrun" || status=$?
    return "$status"
}

install_and_check() {
    local prefix status=0
    prefix=$(mktemp -d)
    { "$project/Scripts/install.sh" "$prefix" && check_installation "$prefix"; } || status=$?
    rm -r "$prefix"
    return "$status"
}

# The same bytes twice, and what is in them runs where it is unpacked.
release_and_check() {
    local folder file again status=0
    folder=$(mktemp -d)
    {
        mkdir "$folder/again" && export SOURCE_DATE_EPOCH=1000000000 &&
            file=$("$project/Scripts/release.sh" "$folder") &&
            again=$(cd "$folder/again" && umask 077 && "$project/Scripts/release.sh") &&
            cmp "$file" "$again" && tar --extract --directory "$folder" --file "$file" &&
            check_installation "$folder/$(basename "$file" .tar.gz)"
    } || status=$?
    rm -r "$folder"
    return "$status"
}

# The same bytes twice, and they do in a fresh Debian.
package_and_check() {
    local folder status=0
    folder=$(mktemp -d)
    export SOURCE_DATE_EPOCH=1000000000
    {
        mkdir "$folder/again" &&
            NSRUN=$binary NSRUN_ROOTFS=$rootfs_tool "$project/Scripts/package.sh" --check "$(rootfs)" "$folder" &&
            (umask 077 && NSRUN=$binary NSRUN_ROOTFS=$rootfs_tool "$project/Scripts/package.sh" "$folder/again") &&
            diff --recursive --exclude=again "$folder" "$folder/again"
    } || status=$?
    rm -r "$folder"
    return "$status"
}

before=$(traces | sort)
run_swift_tests
if install_and_check; then pass 1; else miss "Scripts/install.sh"; fi
if release_and_check; then pass 1; else miss "Scripts/release.sh"; fi
if package_and_check; then pass 1; else miss "Scripts/package.sh"; fi
run_examples
if $all; then
    if run_matrices "$binary" "$rootfs_tool"; then pass 1; else miss "Scripts/matrix"; fi
fi
left_behind() { comm -13 <(echo "$before") <(traces | sort); }
# What is just ending is not left behind.
[[ -z $(left_behind) ]] || sleep 1
left=$(left_behind)
if [[ -z $left ]]; then pass 1; else miss "left behind: $left"; fi

((${#failures[@]} == 0)) || printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, ${#failures[@]} failed"
((${#failures[@]} == 0))
