#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
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

# A server on all addresses of a host that has several: none of them leads to it.
cat >"$work/server.py" <<'END'
import socket, subprocess, sys
servers = [socket.create_server((kind, 8090), family=family, dualstack_ipv6=False)
           for family, kind in ((socket.AF_INET, ""), (socket.AF_INET6, "::"))]
for server in servers: server.listen(64)
sys.exit(subprocess.run(sys.argv[1:]).returncode)
END
cat >"$work/client.py" <<'END'
import socket, sys
for address in sys.argv[1:]:
    try: socket.create_connection((address, 8090), 3); print("reached", address)
    except OSError: pass
END
chmod -R a+rX "$work"
# shellcheck disable=SC2016 # for the inner shell
addresses='ip address add 10.1.1.2/24 dev out0; ip address add 10.9.9.9/32 dev lo; ip link set lo up
    ip -6 address add fd00::1/64 dev out0 nodad; ip -6 address add fd00::2/128 dev lo nodad
    ip tuntap add dev other mode tap; ip address add 10.2.2.2/24 dev other; ip link set other up; exec "$@"'
everywhere=(127.0.0.1 10.1.1.1 10.1.1.2 10.9.9.9 10.2.2.2 fd00::1 fd00::2 ::1)
client=$(<"$work/client.py")
expect "$(printf 'reached %s\n' "${everywhere[@]}")" "outside all answer" \
    beside sh -c "$addresses" sh python3 "$work/server.py" python3 "$work/client.py" "${everywhere[@]}"
for options in "" "--uid 5" "--share-pid"; do
    read -ra words <<<"$options"
    expect "" "--network pasta $options: none of the host's addresses answers" \
        beside sh -c "$addresses" sh python3 "$work/server.py" \
        "$nsrun" --network pasta "${words[@]}" -- python3 -c "$client" "${everywhere[@]}"
done

echo "$passed checks passed as root"
