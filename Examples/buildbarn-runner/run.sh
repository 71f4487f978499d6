#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# On demand: builds the runner, gRPC and all, and tests it by a client in Python. With NSRUN_ALL=1 in the
# environment ten thousand actions run in a row, and rustc, javac and Go are among the tools.
#
#   run.sh                             the tests
#   run.sh --build                     only builds it
#   run.sh --bench DIRECTORY ROUNDS    how long an action takes, beside nsrun: see bench.py
#
# CONFIGURATION=debug in the environment makes the build a shorter one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
[[ ${CONFIGURATION:=release} != release ]] || export NSRUN_RUNNER_STATIC=1
swift build -c "$CONFIGURATION" --static-swift-stdlib --disable-index-store --product nsrun-runner >&2
[[ ${1-} != --build ]] || exit 0

export NSRUN RUNNER TOOLS
RUNNER=$(realpath ".build/$CONFIGURATION/nsrun-runner")
NSRUN=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
rootfs_tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")

# The client's gRPC is another one than the runner's.
for need in protoc:protobuf-compiler grpc_python_plugin:protobuf-compiler-grpc; do
    type -P "${need%:*}" >/dev/null || {
        echo "run.sh: there is no ${need%:*}: install ${need#*:}" >&2
        exit 1
    }
done
/usr/bin/python3 -c 'import google.protobuf, grpc' || {
    echo "run.sh: Python has no gRPC: install python3-grpcio and python3-protobuf" >&2
    exit 1
}

# Not below /tmp and /var/tmp, which actions have to themselves. No disk is part of what is measured.
if [[ ${1-} == --bench ]]; then place=/dev/shm; else place=$PWD/.build; fi
scratch=$(mktemp -d -p "$place")
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
export BUILD_DIRECTORY=$scratch/build PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1
mkdir "$PYTHONPATH"
protoc --plugin=protoc-gen-grpc_python="$(type -P grpc_python_plugin)" \
    --proto_path=Protos --proto_path=.build/checkouts/swift-protobuf/Protos/Sources/SwiftProtobuf \
    --python_out="$PYTHONPATH" --grpc_python_out="$PYTHONPATH" Protos/*.proto

# The tools of the other example, and an input root that holds them.
# shellcheck source=../build-actions/tools.sh
source ../build-actions/tools.sh
mkdir -p "$BUILD_DIRECTORY/tools"
make_input_root "$BUILD_DIRECTORY/tools/root"

if [[ ${1-} == --bench ]]; then
    /usr/bin/python3 bench.py "${@:2}"
    exit
fi
TOOLS=$(for i in "${!names[@]}"; do printf '%s\n%s\n' "${names[i]}" "${commands[i]}"; done)
/usr/bin/python3 -m unittest discover --start-directory Tests --verbose
