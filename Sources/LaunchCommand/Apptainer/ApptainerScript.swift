// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the root's own `/bin/sh` does between the launch and the command: it reads the image's `/.singularity.d`, as
/// Apptainer's built-in shell does.
enum ApptainerScript {
    /// The shell's arguments: the verb, a quiet flag, the shell that is asked for, a directory to go to where it can, how many
    /// statements, those, how many variables, those, the command.
    static func command(
        _ verb: ApptainerVerb, _ words: [ByteString], in environment: ApptainerEnvironment,
        at place: ByteString? = nil, shell: ByteString?, isQuiet: Bool
    ) -> [ByteString] {
        let statements = self.statements(environment)
        let hosts = environment.hosts.filter(isShells)
        let name = (verb.group.map { $0 + "-" } ?? "") + verb.name
        var command: [ByteString] = ["/bin/sh", "-c", text, "sh", name, isQuiet ? "yes" : ""]
        command += [shell ?? "", place ?? "", ByteString("\(statements.count)")] + statements
        command += [ByteString("\(hosts.count)")] + hosts
        return command + words
    }

    private static func statements(_ environment: ApptainerEnvironment) -> [ByteString] {
        var result: [ByteString] = []
        for variable in environment.forced {
            result.append("export " + variable.name + "=" + ShellText.quote(variable.value))
        }
        for variable in environment.forwarded where ShellText.isName(variable.name) {
            let value =
                environment.evaluates
                ? quoteForExpansion(variable.value) : ShellText.quote(variable.value)
            result.append("export " + variable.name + "=" + value)
        }
        if let places = environment.firstPlaces {
            result.append("PATH=" + ShellText.quote(places) + ":$PATH")
        }
        if let places = environment.lastPlaces {
            result.append("PATH=$PATH:" + ShellText.quote(places))
        }
        return result
    }

    /// Variables and commands in it are expanded. A backslash takes the meaning from what has one, and from nothing else:
    /// whatever the text is, the quotes end where it does.
    static func quoteForExpansion(_ text: ByteString) -> ByteString {
        let (quote, backslash) = (UInt8(ascii: "\""), UInt8(ascii: "\\"))
        var result: [UInt8] = [quote]
        var rest = text.bytes[...]
        while let byte = rest.popFirst() {
            switch byte {
            case quote: result += [backslash, quote]
            case backslash:
                if let next = rest.first, "$`\\".utf8.contains(next) {
                    rest.removeFirst()
                    result += [backslash, next]
                } else {
                    result += [backslash, backslash]
                }
            default: result.append(byte)
            }
        }
        return ByteString(bytes: result + [quote])
    }

    /// A variable that a shell can set and that is not its own.
    private static func isShells(_ entry: ByteString) -> Bool {
        guard let sign = entry.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let own: [ByteString] = [
            "_", "BASHOPTS", "BASH_VERSINFO", "EUID", "GROUPS", "IFS", "LINENO", "OPTIND", "PPID",
            "PWD", "SHELLOPTS", "UID",
        ]
        let name = entry.slice(from: 0, to: sign)
        return ShellText.isName(name) && !own.contains(name)
    }

    /// For any POSIX shell. Its own names begin with __nsrun, which no image has; a script that sets arguments sets those
    /// of the function that reads it. Where exec fails, dash and busybox leave by the trap, and bash goes on.
    private static let text: ByteString = #"""
        __nsrun_verb=$1 __nsrun_quiet=$2 __nsrun_shell=$3 __nsrun_place=$4 __nsrun_count=$5
        shift 5
        __nsrun_read() { . "$1"; }
        __nsrun_fail() { printf 'FATAL:   %s\n' "$1" >&2; exit 255; }
        __nsrun_info() { [ -n "$__nsrun_quiet" ] || printf 'INFO:    %s\n' "$1" >&2; }
        __nsrun_complete() {
            for __nsrun_place in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
                case ":$PATH:" in *:"$__nsrun_place":*) ;; *) PATH=$PATH:$__nsrun_place ;; esac
            done
        }
        if [ -n "$__nsrun_place" ] && ! cd "$__nsrun_place" 2>/dev/null; then
            printf 'WARNING: %s\n' "$__nsrun_place is not there in the instance" >&2
            cd "$HOME" 2>/dev/null || cd /
        fi
        unset OLDPWD
        if [ -d /.singularity.d/env ]; then
            for __nsrun_file in /.singularity.d/env/*.sh; do
                [ -f "$__nsrun_file" ] || continue
                __nsrun_read "$__nsrun_file"
                case $__nsrun_file in */10-docker*.sh) __nsrun_complete ;; esac
            done
        elif [ -f /environment ]; then
            __nsrun_read /environment
            __nsrun_complete
        fi
        set +efu
        unset IFS
        while [ "$__nsrun_count" -gt 0 ]; do
            eval "$1"
            shift
            __nsrun_count=$((__nsrun_count - 1))
        done
        export PATH
        __nsrun_count=$1
        shift
        while [ "$__nsrun_count" -gt 0 ]; do
            __nsrun_name=${1%%=*}
            if eval "[ -z \"\${$__nsrun_name+x}\" ]"; then
                export "$1"
            elif eval "[ -z \"\$$__nsrun_name\" ]"; then
                unset "$__nsrun_name"
            fi
            shift
            __nsrun_count=$((__nsrun_count - 1))
        done
        [ -n "${PS1:-}" ] || PS1='Apptainer> '
        export PS1
        [ -n "${PROMPT_COMMAND:-}" ] || export PROMPT_COMMAND="PS1=\"$PS1\"; unset PROMPT_COMMAND"
        case $__nsrun_verb in
        shell)
            if [ -n "$__nsrun_shell" ]; then
                set -- "$__nsrun_shell"
            elif [ -x /bin/bash ]; then
                export SHELL=/bin/bash
                set -- /bin/bash --norc
            else
                export SHELL=/bin/sh
                set -- /bin/sh
            fi
            ;;
        run)
            if [ -x /.singularity.d/runscript ]; then
                set -- /.singularity.d/runscript "$@"
            elif [ -x /singularity ]; then
                set -- /singularity "$@"
            else
                __nsrun_info 'No runscript found in container, executing /bin/sh'
                set -- /bin/sh "$@"
            fi
            ;;
        test)
            if [ ! -x /.singularity.d/test ]; then
                __nsrun_info 'No test script found in container, exiting'
                exit 0
            fi
            set -- /.singularity.d/test "$@"
            ;;
        esac
        case $__nsrun_verb in
        instance-*)
            __nsrun_file=/.singularity.d/startscript
            [ "$__nsrun_verb" = instance-start ] || __nsrun_file=/.singularity.d/runscript
            if command -v sleep >/dev/null; then
                __nsrun_stay='sleep 2147483647'
            elif command -v tail >/dev/null; then
                __nsrun_stay='tail -f /dev/null'
            else
                __nsrun_fail 'an instance needs sleep or tail in its image'
            fi
            $__nsrun_stay &
            [ ! -x "$__nsrun_file" ] || "$__nsrun_file" "$@"
            wait
            exit 0
            ;;
        esac
        case $1 in
        */*)
            [ -e "$1" ] || __nsrun_fail "stat $1: no such file or directory"
            [ -f "$1" ] && [ -x "$1" ] || __nsrun_fail "\"$1\": permission denied"
            ;;
        *)
            __nsrun_found= IFS=:
            set -f
            for __nsrun_place in $PATH; do
                [ -f "${__nsrun_place:-.}/$1" ] && [ -x "${__nsrun_place:-.}/$1" ] || continue
                __nsrun_found=yes
                break
            done
            unset IFS
            [ -n "$__nsrun_found" ] ||
                __nsrun_fail "\"$1\": executable file not found in \$PATH"
            ;;
        esac
        trap 'exit 255' EXIT
        [ -z "${BASH_VERSION-}" ] || shopt -s execfail
        exec "$@"
        exit 255
        """#
}
