# SPDX-License-Identifier: Apache-2.0
# A thousand short tests, bare and each in a run of its own with --preset test. Sourced by
# benchmark.sh.
# shellcheck shell=bash disable=SC2154

suite_tree=$work/suite
mkdir "$suite_tree"
# A test as short as they come: a shell that starts a program and compares what it prints.
cat >"$suite_tree/test.sh" <<'END'
[ "$(echo 2 2 + p | tr -d p | wc -w)" = 3 ]
END

# race_tests NAME AT_ONCE. race.py starts its contenders where it is started, and the preset shows that place.
race_tests() {
    (
        cd "$suite_tree" || exit
        race "$1" --rounds "$(share_of_rounds 100)" --launches 1000 --warm-up 0 --at-once "$2" \
            :: "1,000 tests, bare" sh test.sh \
            :: "C floor, the same namespaces and mounts" "$work/floor" --suite sh test.sh \
            :: "1,000 tests, nsrun --preset test" "$work/nsrun" --preset test -- sh test.sh \
            :: "the same with --network host" \
            "$work/nsrun" --preset test --network host -- sh test.sh
    )
}
race_tests tests 1
race_tests tests_at_once "$(nproc)"

printf '\n## A wrapped test suite, each test\n\n'
report table tests µs "1,000 tests, bare"
printf '\nAs many at a time as there are processors, as make -j and ctest -j run them:\n\n'
report table tests_at_once µs "1,000 tests, bare"
printf '\n'
target excess tests "1,000 tests, nsrun --preset test" "1,000 tests, bare" ms 2.5
