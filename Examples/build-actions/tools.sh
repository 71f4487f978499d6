# SPDX-License-Identifier: Apache-2.0
# The tools of the table, and an input root with the Debian packages that they come from. Sourced by
# run.sh, and by that of the buildbarn-runner; nsrun-rootfs is in $rootfs_tool.
# shellcheck shell=bash disable=SC2154

tools=$(dirname "${BASH_SOURCE[0]}")
packages=(base-files bash bsdutils coreutils dash grep procps python3 util-linux)
# shellcheck disable=SC2034 # used by those
names=() needs=() complaints=() commands=()

# tool NAME NEEDS COMPLAINT COMMAND: a tool that needs /proc or part of /dev, and says COMPLAINT
# where that is not there. COMMAND, run by sh in /work, prints "hello" and nothing else.
tool() {
    names+=("$1")
    needs+=("$2")
    complaints+=("$3")
    commands+=("$4")
}

# Some hundred megabytes.
if [[ -n ${NSRUN_ALL:-} ]]; then
    packages+=(golang-1.19-go openjdk-17-jdk-headless rustc)
    tool rustc /proc "no /proc/self/exe available" \
        'rustc --print sysroot >/tmp/sysroot && rustc -o /tmp/hello hello.rs && /tmp/hello'
    tool "javac, java" /proc "libjli.so: cannot open" \
        'javac -d /tmp Hello.java && java -cp /tmp Hello'
    tool "Go, relocated" /proc "cannot find GOROOT" 'go run hello.go'
fi
tool ps /proc "mount -t proc proc /proc" 'ps -e | grep -q ps && echo hello'
tool free /proc "/proc/meminfo does not exist" 'free | grep -q Mem && echo hello'
tool "bash <( )" /dev/fd "/dev/fd/63: No such file" 'bash -c "cat <(echo hello)"'
tool /dev/stdin /dev/stdin "/dev/stdin: No such file" 'echo hello | cat /dev/stdin'
tool multiprocessing /dev/shm "FileNotFoundError" \
    'python3 -c "import multiprocessing as m; print(*m.Pool(2).map(str.lower, [\"HELLO\"]))"'
tool openpty /dev/pts "FileNotFoundError" \
    'python3 -c "import os; print(\"hello\" if os.isatty(os.openpty()[1]) else \"no terminal\")"'
tool "script(1)" /dev/pts "failed to create pseudo-terminal" \
    'script --quiet --command "echo hello" /tmp/typescript | tr -d "\r"'

# make_input_root ROOT: unpacks the packages, and does what matters here of what their scripts would do.
make_input_root() {
    local root=$1 IFS=,
    "$rootfs_tool" debian --quiet --variant extract --include "${packages[*]}" bookworm "$root"
    cp -R "$tools/work" "$root"
    [[ -n ${NSRUN_ALL:-} ]] || return 0
    # Links that maintainer scripts would make.
    ln -s gcc "$root/usr/bin/cc"
    (cd "$root/usr/bin" && ln -s ../lib/jvm/java-17-*/bin/{java,javac} .)
    # A Go SDK where it was not built for; Debian keeps its sources elsewhere.
    mkdir -p "$root/opt"
    mv "$root/usr/lib/go-1.19" "$root/opt/go"
    rm "$root/opt/go/src"
    mv "$root/usr/share/go-1.19/src" "$root/opt/go/src"
}
