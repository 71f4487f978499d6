// SPDX-License-Identifier: Apache-2.0

extension Completions {
    /// For bash(1), which takes a word apart at `=`.
    static var bash: String {
        var values = ""
        for option in visible {
            guard let action = bashAction(kind(option)) else { continue }
            values += "    \(option.name.text)) \(action) ;;\n"
        }
        return """
            # bash completion for nsrun; made by nsrun --generate bash
            _nsrun_store() { printf '%s\\n' "${XDG_DATA_HOME:-$HOME/.local/share}/nsrun/rootfs"; }

            _nsrun_files() {
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen "$@" -- "$cur")
            }

            _nsrun_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

            # What an option's first argument may be.
            _nsrun_value() {
                case $1 in
            \(values)    esac
            }

            _nsrun_roots() {
                local store name files
                _nsrun_files -f
                files=("${COMPREPLY[@]}")
                store=$(_nsrun_store)
                for name in "$store/$cur"*; do
                    [[ $cur != */* && -e $name ]] && files+=("${name##*/}")
                done
                COMPREPLY=("${files[@]}")
            }

            # Programs of a root, which is a name in the store or a directory.
            _nsrun_programs() {
                local root=$1 place file
                root=${root/#\\~\\//$HOME/}
                [[ $root == */* ]] || root=$(_nsrun_store)/$root
                for place in \(programs); do
                    for file in "$root/$place/$cur"*; do
                        [[ -x $file || -L $file ]] && COMPREPLY+=("${file##*/}")
                    done
                done
            }

            _nsrun() {
                local cur=${COMP_WORDS[COMP_CWORD]} word root='' dashes='' count i
                [[ $cur != = ]] || cur=
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    word=${COMP_WORDS[i]} count=0
                    case $word in
                    --)
                        dashes=1
                        ((i++))
                        break
                        ;;
                    \(names(options(ofArity: 1)).joined(separator: "|"))) count=1 ;;
                    \(names(options(ofArity: 2)).joined(separator: "|"))) count=2 ;;
                    -* | @*) ;;
                    *) break ;;
                    esac
                    if [[ ${COMP_WORDS[i + 1]} == = ]]; then
                        count=1
                        ((i++))
                    fi
                    [[ $word != --rootfs ]] || root=${COMP_WORDS[i + 1]}
                    ((i += count))
                    ((i < COMP_CWORD)) && continue
                    # Of this option's arguments the first, or another one.
                    ((i - count + 1 < COMP_CWORD)) || _nsrun_value "$word"
                    return
                done
                if ((i < COMP_CWORD)); then
                    # The command's own arguments.
                    if [[ ! $root ]] && declare -F _command_offset >/dev/null; then
                        _command_offset "$i"
                    else
                        _nsrun_files -f
                    fi
                elif [[ ! $dashes && $cur == -* ]]; then
                    _nsrun_words "\(names(visible).joined(separator: " "))"
                elif [[ $root && $cur != */* ]]; then
                    _nsrun_programs "$root"
                else
                    _nsrun_files -c
                fi
            }
            complete -F _nsrun nsrun

            """
    }

    private static func bashAction(_ kind: Kind) -> String? {
        switch kind {
        case .none: nil
        case .directory: "_nsrun_files -d"
        case .file: "_nsrun_files -f"
        case .root: "_nsrun_roots"
        case .preset:
            "_nsrun_words \"$(nsrun --preset list 2>/dev/null | while read -r name _; do echo \"$name\"; done)\""
        case .kept:
            "_nsrun_words \"$(nsrun --list 2>/dev/null | { read -r _; while read -r name _; do echo \"$name\"; done; })\""
        case .words(let names): "_nsrun_words \"\(names.joined(separator: " "))\""
        case .names(let names):
            "compopt -o nospace 2>/dev/null; _nsrun_words \"\(names.map { $0 + "=" }.joined(separator: " "))\""
        }
    }
}
