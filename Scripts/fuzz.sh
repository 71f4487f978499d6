#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Feeds the parsers of hostile input what no sane program writes: libFuzzer with AddressSanitizer and
# UndefinedBehaviorSanitizer. Always as an ordinary user: started by root, it goes on as nsrun-test.
#
#   Scripts/fuzz.sh [--jobs N] [--release] [TARGET] [SECONDS]
#       that target for about so long, 30 unless said; without a target, or with `all`, every one, N at a time.
#       A line a target; the exit status is not 0 where something was found, and the input's path is printed.
#       --release is for long hunts: built in five minutes, up to ten times faster.
#   Scripts/fuzz.sh TARGET FILE
#       one input, such as a finding, with all that is said of it
#   Scripts/fuzz.sh --self-test
#       whether faults that are planted are found
#
# What is interesting stays in .build-fuzz/run/TARGET/corpus, and the next run begins with it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { fail "$1" "usage: Scripts/fuzz.sh [--jobs N] [--release] [TARGET] [SECONDS|FILE], or --self-test"; }

if is_root; then
    # shellcheck disable=SC2119 # nothing beyond what a build needs
    prepare_account
    run_copy Scripts/fuzz.sh "$@"
    exit
fi

scratch=${NSRUN_SCRATCH:-$project}/.build-fuzz
seeds=$project/Tests/Fuzz/Corpus
# Seconds that one input may take, grown or not: a loop in a loop takes minutes.
patience=20

# Prints the path of the program that holds all targets.
build() {
    local log
    mkdir -p "$scratch"
    log=$scratch/build.log
    say "building the fuzzers"
    NSRUN_FUZZ=1 swift build --package-path "$project" --scratch-path "$scratch" --product fuzz \
        --configuration "$configuration" -Xswiftc -enable-testing \
        --sanitize=fuzzer --sanitize=address -Xcc -O1 -Xcc -fsanitize=undefined \
        -Xcc -fno-sanitize-recover=undefined >"$log" 2>&1 || {
        grep -E 'error|fatal' "$log" >&2 || tail "$log" >&2
        fail "the fuzzers could not be built" "the whole of it: $log"
    }
    echo "$scratch/$configuration/fuzz"
}

# start TARGET [ARG]...: one process of libFuzzer, which finds a directory of its own. Findings go to `found` there.
start() {
    local target=$1 folder=$scratch/run/$1
    shift
    env NSRUN_FUZZ_TARGET="$target" NSRUN_FUZZ_OUTPUT="$folder" \
        UBSAN_OPTIONS=print_stacktrace=1 "$fuzz" -artifact_prefix="$folder/found/" \
        -timeout="$patience" -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 "$@" </dev/null
}

# More seeds than are worth keeping in the tree, from tools at hand.
make_seeds() {
    local folder=$scratch/run/$1/seeds
    mkdir -p "$folder"
    case $1 in
    elf) head -c 8192 "$(type -P env)" >"$folder/env" ;;
    tar | pack) make_archives "$folder" ;;
    planted-square) echo 'line%' >"$folder/line" ;;
    esac
}

make_archives() {
    local tree format
    tree=$(mktemp -d)
    (
        cd "$tree"
        mkdir -p usr/bin
        echo content >usr/bin/file
        ln usr/bin/file usr/bin/hard
        ln -s usr/bin bin
        mkfifo pipe
        truncate -s 1M sparse
        echo data >>sparse
        : >"$(printf 'long-%0120d' 7)"
    )
    for format in gnu pax v7; do
        tar --create --sparse --blocking-factor=1 --sort=name --mtime=@0 --format="$format" \
            --directory="$tree" --file="$1/$format" . 2>"$1.log" || [[ $format == v7 ]]
    done
    for format in gzip bzip2 xz zstd; do
        type -P "$format" >/dev/null || continue
        "$format" --stdout "$1/gnu" >"$1/$format"
    done
    rm -r "$tree" "$1.log"
}

# fuzz_one TARGET SECONDS: first the seeds and what was found before, each as it is and grown; then whatever comes to
# libFuzzer's mind.
fuzz_one() {
    local target=$1 folder=$scratch/run/$1 log status=0 count finding given left end
    log=$folder/log
    end=$((SECONDS + $2))
    mkdir -p "$folder/corpus" "$folder/found"
    make_seeds "$target"
    given=("$folder/seeds")
    [[ $target == planted-* ]] || given+=("$seeds/$target")
    NSRUN_FUZZ_GROW=1 start "$target" -runs=0 "${given[@]}" "$folder/found" >"$log" 2>&1 || status=$?
    if ((status == 0)); then
        find "$folder/found" -type f -exec mv -t "$folder/corpus" {} +
        left=$((end - SECONDS))
        start "$target" -max_total_time="$((left > 5 ? left : 5))" "$folder/corpus" "${given[@]}" >"$log" 2>&1 || status=$?
    fi
    count=$(awk '/^stat::number_of_executed_units:/ { print $2 }' "$log")
    if ((status == 0 && ${count:-0} > 10)); then
        echo "$target: $count executions, nothing found"
        return
    fi
    # Where there is no input, the fuzzer itself could not work.
    finding=$(awk '/Test unit written to/ { print $NF }' "$log")
    echo "$target: ${count:-0} executions, FOUND ${finding:-something: $log}"
    grep -E -m 6 '^(fuzz:|==[0-9]+==ERROR|SUMMARY)|runtime error:|Fatal error:' "$log" |
        cut -c 1-300 | sed 's/^/    /' || true
    return 1
}

# fuzz_all JOBS SECONDS TARGET...: so many at a time. Each leaves behind that nothing was found, for a shell may
# forget how one of several processes ended.
fuzz_all() {
    local jobs=$1 seconds=$2 target status=0
    shift 2
    for target; do
        rm -f "$scratch/run/$target/passed"
        while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
        { fuzz_one "$target" "$seconds" && touch "$scratch/run/$target/passed"; } &
    done
    wait
    for target; do [[ -e $scratch/run/$target/passed ]] || status=1; done
    return "$status"
}

# A fuzzer that finds nothing could be one that looks at nothing.
self_test() {
    local target line status=0
    patience=2
    for target in beyond nowhere trap demand escape square; do
        if line=$(fuzz_one "planted-$target" 60); then
            echo "NOT FOUND: $line"
            status=1
        elif [[ ! $line == *"executions, FOUND /"* ]]; then
            echo "NO INPUT: $line"
            status=1
        else
            echo "found as planted: $target"
        fi
    done
    if line=$(fuzz_one planted-nothing 2); then
        echo "nothing found where nothing is"
    else
        echo "FOUND WHERE NOTHING IS: $line"
        status=1
    fi
    return "$status"
}

jobs=1
configuration=debug
while [[ ${1-} == --* ]]; do
    case $1 in
    --jobs)
        jobs=${2-}
        [[ $jobs =~ ^[1-9][0-9]*$ ]] || usage "--jobs needs a number"
        shift
        ;;
    --release) configuration=release ;;
    --self-test) break ;;
    *) usage "unknown option $1" ;;
    esac
    shift
done
(($# <= 2)) || usage "there are too many arguments"
target=${1:-all}
seconds=${2:-30}

prepare_host "${build_packages[@]}"
fuzz=$(build)
mapfile -t targets < <(NSRUN_FUZZ_TARGET=list "$fuzz")
((${#targets[@]} > 0)) || fail "$fuzz has no targets"

if [[ $target == --self-test ]]; then
    self_test
    exit
fi
if [[ $target == all ]]; then
    fuzz_all "$jobs" "$seconds" "${targets[@]}"
    exit
fi
[[ " ${targets[*]} " == *" $target "* ]] || usage "there is no target $target; there are ${targets[*]}"
if [[ -f $seconds ]]; then
    mkdir -p "$scratch/run/$target/found"
    NSRUN_FUZZ_GROW=1 start "$target" "$seconds"
else
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || usage "\"$seconds\" is neither a number of seconds nor a file"
    fuzz_all 1 "$seconds" "$target"
fi
