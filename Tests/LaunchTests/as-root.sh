#!/usr/bin/env bash
# What is done in another way for root. Run by root, with the binary in NSRUN_TEST_BINARY; prints the number of
# passed checks.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../as-root-lib.sh"
nsrun=$(realpath "$NSRUN_TEST_BINARY")

# In a network that takes nothing of the host's.
# shellcheck disable=SC2016 # for the inner shell
beside() {
    unshare --net sh -c '
        ip tuntap add dev out0 mode tap && ip address add 10.1.1.1/24 dev out0 &&
        ip link set out0 up && ip route add default via 10.1.1.254 && exec "$@"' sh "$@"
}
for options in "" --share-pid "--uid 5"; do
    read -ra words <<<"$options"
    expect out0 "--network pasta $options" \
        beside "$nsrun" --network pasta "${words[@]}" -- grep -o out0 /proc/net/dev
done

echo "$passed checks passed as root"
