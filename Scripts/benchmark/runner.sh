# SPDX-License-Identifier: Apache-2.0
# Actions of Examples/buildbarn-runner, if that has been built. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

runner=$project/Examples/buildbarn-runner
if [[ -x $runner/.build/release/nsrun-runner ]]; then
    NSRUN=$work/nsrun NSRUN_ROOTFS=$work/nsrun-rootfs "$runner/run.sh" --bench "$work" "$rounds"

    printf '\n## An action of a build\n\n'
    report table action µs "nsrun --preset action"
    target excess action nsrun-runner "nsrun --preset action" ms 1
    printf '\nFour at a time:\n\n'
    report table actions launches/s "nsrun --preset action"
    # 500 a second.
    target limit actions nsrun-runner µs 2000
fi
