// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the shells need to complete nsrun's command line, from the option table.
enum Completions {
    private static var visible: [Option] {
        OptionTable.options.filter { $0.section != .hidden }
    }

    /// What the first argument of an option names.
    private enum Kind {
        case none, directory, file
        case words(String)
    }

    private static func list(_ names: [String]) -> String {
        var text = ""
        for name in names { text += text.isEmpty ? name : " " + name }
        return text
    }

    private static func kind(_ option: Option) -> Kind {
        switch option.id {
        case .root(.rootfs), .root(.overlayDirectory), .process(.chdir): .directory
        case .process(.environmentFile), .mount(.bind), .mount(.bindTry), .mount(.roBind),
            .mount(.roBindTry), .mount(.devBind), .mount(.devBindTry):
            .file
        case .namespace(.network): .words("host none pasta")
        case .general(.preset): .words(list(Preset.allCases.map { $0.name.text }))
        case .general(.engine): .words(list(Engine.allCases.map { $0.name } + ["auto"]))
        case .general(.require): .words("isolation")
        case .general, .root, .mount, .namespace, .process, .report: .none
        }
    }

    static var bash: String {
        var words = ""
        var cases = ""
        var skips = ""
        for option in visible {
            words += " " + option.name.text
            if option.arity == 1 { skips += (skips.isEmpty ? "" : "|") + option.name.text }
            switch kind(option) {
            case .none: break
            case .directory:
                cases +=
                    "        \(option.name.text)) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
            case .file:
                cases +=
                    "        \(option.name.text)) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
            case .words(let list):
                cases +=
                    "        \(option.name.text)) COMPREPLY=($(compgen -W '\(list)' -- \"$cur\")); return ;;\n"
            }
        }
        return """
            # bash completion for nsrun; made by nsrun --generate bash
            _nsrun() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
                case $prev in
            \(cases)        \(skips)) return ;;
                esac
                if [[ $cur == -* ]]; then
                    COMPREPLY=($(compgen -W '\(words.dropFirst())' -- "$cur"))
                else
                    COMPREPLY=($(compgen -c -- "$cur") $(compgen -f -- "$cur"))
                fi
            }
            complete -o default -F _nsrun nsrun

            """
    }

    static var zsh: String {
        var text = "#compdef nsrun\n# made by nsrun --generate zsh\n_arguments -S \\\n"
        for option in visible {
            let help = zshEscape(option.help.text)
            text += "  '*\(option.name.text)[\(help)]"
            if option.arity > 0 {
                for (index, name) in option.arguments.text.split(separator: " ").enumerated() {
                    text += ":\(name.split(separator: "=")[0]):"
                    switch kind(option) {
                    case .directory: text += "_directories"
                    case .file where index == 0: text += "_files"
                    case .words(let list): text += "(\(list))"
                    case .file, .none: break
                    }
                }
            }
            text += "' \\\n"
        }
        return text + "  '*::command:_normal'\n"
    }

    static var fish: String {
        var text = "# fish completion for nsrun; made by nsrun --generate fish\n"
        for option in visible {
            text +=
                option.isShort
                ? "complete -c nsrun -s \(option.name.text.dropFirst())"
                : "complete -c nsrun -l \(option.name.text.dropFirst(2))"
            switch kind(option) {
            case .none: if option.arity > 0 { text += " -x" }
            case .directory: text += " -x -a '(__fish_complete_directories)'"
            case .file: text += " -r"
            case .words(let list): text += " -x -a '\(list)'"
            }
            text += " -d '\(fishEscape(option.help.text))'\n"
        }
        return text
    }

    private static func zshEscape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "'": result += "'\\''"
            case "[", "]", ":", "\\": result += "\\\(character)"
            default: result.append(character)
            }
        }
        return result
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
