#!/usr/bin/env bash
# On demand: builds the runner, gRPC and all, and runs the tests of a client in Python. With NSRUN_ALL=1 in
# the environment ten thousand actions run in a row, and rustc, javac and Go are among the tools.
#
#   run.sh           the tests
#   run.sh --bench   how fast it is, beside nsrun
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export NSRUN
NSRUN=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
rootfs_tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")
build=${RUNNER_SCRATCH:-.build}

python3 -c 'import ensurepip, venv' || {
    echo "run.sh: Python cannot make virtual environments: install python3-venv" >&2
    exit 1
}
swift build -c release --scratch-path "$build" --product nsrun-runner >&2

# Not below /tmp, which actions have to themselves.
scratch=$(mktemp -d -p /var/tmp)
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
export RUNNER BUILD_DIRECTORY=$scratch/build TOOLS PYTHONPATH=$scratch/python
RUNNER=$(realpath "$build/release/nsrun-runner")

# The client is written by another gRPC, from the same description.
python3 -m venv "$scratch/venv"
python=$scratch/venv/bin/python3
"$python" -m pip install --quiet --disable-pip-version-check grpcio grpcio-tools
mkdir "$PYTHONPATH"
"$python" -m grpc_tools.protoc --proto_path=Protos --python_out="$PYTHONPATH" \
    --grpc_python_out="$PYTHONPATH" Protos/*.proto

# The tools of the other example, and an input root that holds them.
actions=../build-actions
# shellcheck source=../build-actions/tools.sh
source "$actions/tools.sh"
root=$BUILD_DIRECTORY/tools/root
mkdir -p "${root%/*}"
make_input_root "$root"

if [[ ${1-} == --bench ]]; then
    "$python" bench.py
else
    TOOLS=$(for i in "${!names[@]}"; do printf '%s\0%s\0' "${names[i]}" "${commands[i]}"; done |
        "$python" -c 'import json, sys
words = sys.stdin.read().split("\0")
print(json.dumps(dict(zip(words[::2], words[1::2]))))')
    "$python" -m unittest discover --start-directory Tests --verbose
fi
