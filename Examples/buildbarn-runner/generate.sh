#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# generate.sh [SCRATCH]: writes Sources/nsrun-runner/Generated from Protos. What it writes is committed, for
# the plugins take longer to build than the runner. Needs protoc, of Debian's protobuf-compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scratch=${1:-.build-generate}
generated=Sources/nsrun-runner/Generated
type -P protoc >/dev/null || {
    echo "generate.sh: there is no protoc: install protobuf-compiler" >&2
    exit 1
}

for plugin in protoc-gen-swift protoc-gen-grpc-swift-2; do
    swift build --scratch-path "$scratch" --product "$plugin"
done

# generate PLUGIN PARAMETERS PROTO...
generate() {
    local plugin=$1 parameters=$2
    shift 2
    protoc --plugin="$scratch/debug/protoc-gen-$plugin" "--${plugin}_out=$parameters:$generated" \
        --proto_path=Protos \
        --proto_path="$scratch/checkouts/swift-protobuf/Protos/Sources/SwiftProtobuf" "$@"
}

mkdir -p "$generated"
generate swift "" Protos/resourceusage.proto Protos/runner.proto
generate grpc-swift-2 Client=false Protos/runner.proto
