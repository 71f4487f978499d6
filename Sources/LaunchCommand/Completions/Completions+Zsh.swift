// SPDX-License-Identifier: Apache-2.0

extension Completions {
    /// For zsh(1), as `_nsrun` in a directory of `$fpath`.
    static var zsh: String {
        var text = """
            #compdef nsrun
            # made by nsrun --generate zsh
            _nsrun_roots() {
                local store=${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs
                compadd -- $store/*(N:t)
                _files
            }

            _nsrun_presets() { compadd -- ${${(f)"$(_call_program presets nsrun --preset list)"}%% *} }

            _nsrun_kept() { compadd -- ${${${(f)"$(_call_program kept nsrun --list)"}[2,-1]}%% *} }

            # Programs of the root, which is a name in the store or a directory.
            _nsrun_command() {
                local root=${(Q)opt_args[--rootfs]} place
                root=${root/#\\~\\//$HOME/}
                if [[ -z $root || $CURRENT -gt 1 || $PREFIX == */* ]]; then
                    _normal
                    return
                fi
                [[ $root == */* ]] || root=${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs/$root
                for place in \(programs); do
                    compadd -- $root/$place/*(N:t)
                done
            }

            local line
            local -A opt_args
            _arguments -S \\

            """
        for option in visible {
            let help = zshEscape(option.help.text)
            text += "  '*\(option.name.text)\(option.arity == 1 ? "=" : "")[\(help)]"
            for (index, name) in option.arguments.text.split(separator: " ").enumerated()
            where option.arity > 0 {
                text += ":\(zshEscape(String(name.split(separator: "=")[0]))):"
                if index == 0 { text += zshAction(kind(option)) }
            }
            text += "' \\\n"
        }
        return text + "  '*::command:_nsrun_command'\n"
    }

    private static func zshAction(_ kind: Kind) -> String {
        switch kind {
        case .none: ""
        case .directory: "_directories"
        case .file: "_files"
        case .root: "_nsrun_roots"
        case .preset: "_nsrun_presets"
        case .kept: "_nsrun_kept"
        case .words(let names): "(\(names.joined(separator: " ")))"
        case .names(let names): "{compadd -S \"=\" -- \(names.joined(separator: " "))}"
        }
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
}
