#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the three sandboxes with nsrun under the name bwrap, and with Debian's bwrap where that is
# installed; both must print what is in `expected`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
nsrun=$(realpath "${NSRUN:-../../.build-embedded/nsrun}")

work=$(mktemp -d)
listener=
cleanup() {
    [[ -z $listener ]] || kill "$listener"
    rm -rf "$work"
}
trap cleanup EXIT
ln -s "$nsrun" "$work/bwrap"
mkdir "$work"/{source,profile,runtime}
echo "int main(void) { return 0; }" >"$work/source/main.c"

# Stands in for the session's bus: answers whoever connects.
XDG_RUNTIME_DIR=$work/runtime perl -MIO::Socket::UNIX -e '
    my $bus = IO::Socket::UNIX->new(Local => "$ENV{XDG_RUNTIME_DIR}/bus", Listen => 5) or die;
    while (my $caller = $bus->accept) { print $caller "hello from the bus\n"; close $caller; }' &
listener=$!
for ((try = 0; try < 500; try++)); do
    [[ ! -S $work/runtime/bus ]] || break
    sleep 0.01
done

# shellcheck disable=SC2016 # expanded inside
sandboxes() {
    export BWRAP=$1 XDG_RUNTIME_DIR=$work/runtime HOME=/home/user
    echo "shell: an empty home, programs that stay as they are, own processes"
    ./shell.sh -c 'pwd; ls -A; touch /usr/x 2>/dev/null || echo "read-only"; ls -d /proc/[0-9]*'
    echo "build: no network, but a result"
    ./build.sh "$work/source" sh -c '
        cut -sd: -f1 /proc/net/dev; wc -c <main.c >main.size; env | sort; exit 3' ||
        echo "status $?"
    cat "$work/source/main.size"
    echo "browser: the bus, a host name, and a home that stays"
    ./browser.sh "$work/profile" perl -MIO::Socket::UNIX -e '
        my $bus = IO::Socket::UNIX->new("$ENV{XDG_RUNTIME_DIR}/bus") or die;
        print <$bus>, `uname -n`;
        open my $file, ">", "$ENV{HOME}/cookie" or die;
        print join(" ", map { s,.*/,,r } glob "$ENV{XDG_RUNTIME_DIR}/*"), "\n";'
    ls "$work/profile"
}

for bwrap in "$work/bwrap" $(type -P bwrap); do
    sandboxes "$bwrap" >"$work/output"
    diff expected "$work/output" || {
        echo "run.sh: that was not expected of $bwrap" >&2
        exit 1
    }
    rm -f "$work/profile/cookie" "$work/source/main.size"
    # Whose it is shows in the file itself, not in the name.
    echo "as expected: $("$bwrap" --version), $(realpath "$bwrap" | sed 's,.*/,,')"
done
cat "$work/output"
