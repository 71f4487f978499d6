// SPDX-License-Identifier: Apache-2.0

extension Completions {
    /// For fish(1), which itself takes options apart.
    static var fish: String {
        var text = """
            # fish completion for nsrun; made by nsrun --generate fish
            function __nsrun_store
                set -q XDG_DATA_HOME; and echo $XDG_DATA_HOME/nsrun/rootfs; or echo $HOME/.local/share/nsrun/rootfs
            end

            function __nsrun_roots
                path basename (__nsrun_store)/*
                __fish_complete_path (commandline -ct)
            end

            # The words of the command, after the options, and before them the root.
            function __nsrun_words
                set -l words (commandline -opc) (commandline -ct)
                set -l root
                set -e words[1]
                while set -q words[2]
                    set -l count 0
                    switch $words[1]
                        case --
                            set -e words[1]
                            break
                        case \(names(options(ofArity: 1)).joined(separator: " "))
                            set count 1
                        case \(names(options(ofArity: 2)).joined(separator: " "))
                            set count 2
                        case '-*' '@*'
                        case '*'
                            break
                    end
                    switch $words[1]
                        case --rootfs
                            set root $words[2]
                        case '--rootfs=*'
                            set root (string replace -- --rootfs= '' $words[1])
                    end
                    set -e words[1..(math 1 + $count)]
                end
                printf '%s\\n' "$root" $words
            end

            # Programs of the root, which is a name in the store or a directory.
            function __nsrun_command
                set -l words (__nsrun_words)
                set -l root (string replace -r '^~/' $HOME/ -- $words[1])
                set -e words[1]
                string match -q -- '-*' $words[1]; and return
                if test -z "$root"; or test (count $words) -gt 1
                    complete --do-complete=(string join ' ' -- (string escape -- $words))
                    return
                end
                string match -q '*/*' -- $root; or set root (__nsrun_store)/$root
                for place in \(programs)
                    path basename $root/$place/*
                end
            end

            complete -c nsrun -f -a '(__nsrun_command)'

            """
        for option in visible {
            text +=
                option.isShort
                ? "complete -c nsrun -s \(option.name.text.dropFirst())"
                : "complete -c nsrun -l \(option.name.text.dropFirst(2))"
            if option.arity > 0 { text += fishAction(kind(option)) }
            text += " -d '\(fishEscape(option.help.text))'\n"
        }
        return text
    }

    private static func fishAction(_ kind: Kind) -> String {
        switch kind {
        case .none: " -x"
        case .directory: " -x -a '(__fish_complete_directories)'"
        case .file: " -r -F"
        case .root: " -x -a '(__nsrun_roots)'"
        case .preset: " -x -a '(nsrun --preset list 2>/dev/null | string replace -r \" .*\" \"\")'"
        case .kept:
            " -x -a '(nsrun --list 2>/dev/null | tail -n +2 | string replace -r \" .*\" \"\")'"
        case .words(let names): " -x -a '\(names.joined(separator: " "))'"
        case .names(let names): " -x -a '\(names.map { $0 + "=" }.joined(separator: " "))'"
        }
    }

    private static func fishEscape(_ text: String) -> String {
        var result = ""
        for character in text {
            if character == "'" || character == "\\" { result += "\\" }
            result.append(character)
        }
        return result
    }
}
