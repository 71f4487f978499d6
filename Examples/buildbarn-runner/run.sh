#!/usr/bin/env bash
# On demand: builds the runner, gRPC and all, and tests it by a client in Python. With NSRUN_ALL=1 in the
# environment ten thousand actions run in a row, and rustc, javac and Go are among the tools.
#
#   run.sh           the tests
#   run.sh --bench   how long an action takes, beside nsrun
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export NSRUN RUNNER TOOLS
NSRUN=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")
rootfs_tool=$(realpath "${NSRUN_ROOTFS:-../../.build-rootfs/nsrun-rootfs}")

python3 -c 'import ensurepip, venv' || {
    echo "run.sh: Python cannot make virtual environments: install python3-venv" >&2
    exit 1
}
swift build -c release --static-swift-stdlib --product nsrun-runner >&2
RUNNER=$(realpath .build/release/nsrun-runner)

# Not below /tmp and /var/tmp, which actions have to themselves.
scratch=$(mktemp -d -p "$PWD/.build")
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
export BUILD_DIRECTORY=$scratch/build PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1

# Another gRPC than the runner's, from the same description.
python3 -m venv "$scratch/venv"
python=$scratch/venv/bin/python3
"$python" -m pip install --quiet --disable-pip-version-check grpcio grpcio-tools
mkdir "$PYTHONPATH"
"$python" -m grpc_tools.protoc --proto_path=Protos --python_out="$PYTHONPATH" \
    --grpc_python_out="$PYTHONPATH" Protos/*.proto

# The tools of the other example, and an input root that holds them.
# shellcheck source=../build-actions/tools.sh
source ../build-actions/tools.sh
mkdir -p "$BUILD_DIRECTORY/tools"
make_input_root "$BUILD_DIRECTORY/tools/root"

if [[ ${1-} == --bench ]]; then
    "$python" bench.py
    exit
fi
TOOLS=$(for i in "${!names[@]}"; do printf '%s\n%s\n' "${names[i]}" "${commands[i]}"; done)
"$python" -m unittest discover --start-directory Tests --verbose
