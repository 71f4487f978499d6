# The tools of the table, and the Debian packages that they come from. Sourced by run.sh.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used in run.sh
packages=(base-files bash bsdutils coreutils dash grep procps python3 util-linux)
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
