#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# launcher.sh red|blue: what launchers of foreign programs do whose PT_INTERP is too short for the
# real path. Each puts a link to its own loader at the fixed place, runs the program, and takes the
# link away again. The two take turns, so that the order in which they race is always the same.
set -euo pipefail

name=$1
say() { echo "$name: $*"; }

link_loader() { ln -sfn "$PWD/loader-of-$name" "$LOADER_LINK"; }

run_program() {
    local loader
    if loader=$(./show-loader 2>/dev/null); then
        say "runs with $loader"
    else
        say "finds no loader"
    fi
}

pass_turn() { echo >"turn-$1"; }
await_turn() { read -r <"turn-$name"; }

case $name in
red)
    link_loader
    pass_turn blue
    await_turn # blue has put its link over ours
    run_program
    pass_turn blue
    await_turn # blue has ended and taken its link away
    run_program
    rm -f "$LOADER_LINK"
    ;;
blue)
    await_turn
    link_loader
    pass_turn red
    await_turn
    run_program
    rm -f "$LOADER_LINK"
    pass_turn red
    ;;
esac
