#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Test suites of seven kinds, run under nsrun by their own tools. Exits with 0 if they see what the
# README promises, and report what they should.
#
#   run.sh [PART]...    a part is the name of a folder; without one, all but bazel and matrix, which
#                       take longer and are run too where NSRUN_ALL is set
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
NSRUN_ROOTFS=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
export NSRUN_ROOTFS

parts=("$@")
if (($# == 0)); then
    parts=(ctest meson automake cargo pytest)
    [[ -z ${NSRUN_ALL:-} ]] || parts+=(bazel matrix)
fi

declare -A packages=(
    [ctest]="cmake gcc libc6-dev make"
    [meson]="gcc libc6-dev meson"
    [automake]="automake gcc libc6-dev make"
    [cargo]="cargo"
    [pytest]="python3-pytest python3-pytest-xdist"
    [bazel]="bazel-bootstrap bazel-rules-java gcc libc6-dev"
    [matrix]="mmdebstrap"
)
missing=()
for part in "${parts[@]}"; do
    if [[ ! -v packages[$part] ]]; then
        echo "run.sh: there is no part $part" >&2
        exit 1
    fi
    for package in git ${packages[$part]}; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>&1 |
            grep -qx installed || missing+=("$package")
    done
done
if ((${#missing[@]} > 0)); then
    echo "run.sh: this needs packages: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

# What the projects must not see: a file in each place that is private under nsrun.
work=$(mktemp -d)
mkdir "$work"/{bin,home}
HOME=$work/home
markers=()
cleanup() {
    rm -f "${markers[@]}"
    chmod -R u+w "$work"
    rm -r "$work"
}
trap cleanup EXIT
for directory in /tmp /var/tmp /dev/shm "$HOME"; do
    markers+=("$(mktemp "$directory/nsrun-test-suites.XXXXXX")")
done

# The tools are Debian's; nsrun is where they find it by name.
ln -s "$nsrun" "$work/bin/nsrun"
PATH=$work/bin:/usr/bin:/bin

# A copy is built, and is a source tree of its own.
cp -R . "$work/suites"
git init --quiet "$work/suites"
for part in "${parts[@]}"; do
    echo "$part:"
    (cd "$work/suites/$part" && ./run.sh)
done
