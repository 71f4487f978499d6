# SPDX-License-Identifier: Apache-2.0
# Servers that are reached from a network of the run's own, by --allow-host. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

python3 "$parts/relay.py" "$(share_of_rounds 6)" "$work/relay-connect" "$work/relay-bulk" "$work/nsrun"
race relay-launch --rounds "$rounds" \
    :: "nsrun --network none" "$work/nsrun" --network none -- true \
    :: "nsrun --allow-host" "$work/nsrun" --allow-host 127.0.0.1:9 -- true

printf '\n## Servers by name\n\nA connection to a server on loopback that says one byte:\n\n'
report table relay-connect µs plain
printf '\n256 MiB from it:\n\n'
report table relay-bulk ms plain
printf '\nA launch:\n\n'
report table relay-launch µs "nsrun --network none"
target excess relay-connect relayed plain µs 50
target target relay-bulk relayed plain 2.00
