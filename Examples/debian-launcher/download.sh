#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# download.sh DIRECTORY PACKAGE...: fetches Debian packages and all that they depend on into
# DIRECTORY, as an ordinary user: apt with folders of its own, and told that nothing is installed.
set -euo pipefail

directory=$(realpath -m "$1")
mkdir -p "$directory/lists/partial" "$directory/archives/partial"
: >"$directory/status"
own_apt=(
    apt-get --quiet --quiet
    --option Dir::State="$directory"
    --option Dir::State::status="$directory/status"
    --option Dir::Cache="$directory"
)
"${own_apt[@]}" update
"${own_apt[@]}" --yes --download-only --no-install-recommends install "${@:2}"
