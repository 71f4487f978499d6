// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// `nsrun.1` in the man(7) language, from the option table.
enum ManualPage {
    static var text: String {
        var page = """
            .TH NSRUN 1 "" "nsrun \(nsrunVersion)" "User Commands"
            .SH NAME
            nsrun \\- run a program in a world of its own, as an ordinary user
            .SH SYNOPSIS
            .B nsrun
            .RI [ OPTION ]...
            .RB [ \\-\\- ]
            .I COMMAND
            .RI [ ARG ]...
            .SH DESCRIPTION
            .B nsrun
            starts one program with its own root file system (or the host's), a fresh
            .IR /proc ,
            and a private, empty
            .IR /tmp ,
            by means of user, mount and pid namespaces. It needs no privilege, no daemon and no
            set-user-ID helper, and when the program ends nothing is left.
            .PP
            Options end at
            .B \\-\\-
            or at the first word that is not an option. An option with one argument may also be
            written as
            .IR \\-\\-option=VALUE .
            .BI @ FILE
            among the options stands for the lines of
            .IR FILE ,
            one argument a line, without quoting. File-system options apply in the order given.
            .PP
            Without
            .B \\-\\-rootfs
            the root is the host's. With it, the root is read-only,
            .I /tmp /var/tmp /dev/shm /run
            and the home directory are private and empty,
            .I /dev
            holds the usual nodes,
            .I /sys
            is the host's, read-only, and so are
            .I /etc/resolv.conf
            and
            .IR /etc/hosts .
            Without a command, the shell is started.
            .SH EXAMPLES

            """
        for (command, what) in ShortHelp.examples {
            page += ".TP\n.B \(escape(command))\n\(escape(what))\n"
        }
        let first = ShortHelp.options
        page += ".SH OPTIONS\n.SS Every day\n"
        for option in first { page += entry(option) }
        for section in Section.allCases where section != .hidden {
            let options = OptionTable.options.filter { option in
                option.section == section && !first.contains { $0.id == option.id }
            }
            if options.isEmpty { continue }
            page += ".SS \(escape(section.title))\n"
            for option in options { page += entry(option) }
        }
        page += ".SH PRESETS\nA preset is what the other options start from, wherever it stands.\n"
        for preset in Preset.allCases {
            page += ".TP\n.B \(preset.name.text)\n\(escape(preset.summary.text))\n"
        }
        page +=
            ".PP\nOther names are files of options, one argument a line, in\n.I ~/.config/nsrun/presets\nor\n"
            + ".IR /etc/nsrun/presets .\n.B --preset list\nshows all.\n"
        page += engines
        return page + """
            .SH EXIT STATUS
            .TP
            .I N
            the command's own
            .TP
            .RI 128+ N
            signal
            .I N
            ended the command
            .TP
            124
            the time limit was reached
            .TP
            125
            nsrun itself failed: usage, set-up
            .TP
            126
            the command was found but cannot be run
            .TP
            127
            the command was not found
            .SH ENVIRONMENT
            .TP
            .B NSRUN_ENGINE
            the engine, where
            .B \\-\\-engine
            is not given
            .TP
            .B NSRUN_FAKECHROOT
            the libfakechroot.so of the engine fakechroot; by default the root's own, a pack's, or the
            host's
            .TP
            .B NSRUN_PROOT
            the program of the engine proot; by default a pack's, or the first on
            .I $PATH
            .SH FILES
            .TP
            .I $XDG_DATA_HOME/nsrun/rootfs
            the rootfs store; by default
            .I ~/.local/share/nsrun/rootfs
            .TP
            .I $XDG_CACHE_HOME/nsrun/engines
            what the engine fakechroot has made of roots, and which engines have passed their tests; by
            default
            .I ~/.cache/nsrun/engines
            .SH SEE ALSO
            .BR bwrap (1),
            .BR fakechroot (1),
            .BR proot (1),
            .BR unshare (1),
            .BR namespaces (7),
            .BR user_namespaces (7)

            """
    }

    private static func entry(_ option: Option) -> String {
        ".TP\n.B \(escape(Help.synopsis(option)))\n\(escape(option.help.text))\n"
    }

    private static var engines: String {
        let both = EngineSummary.list(EngineSummary.options(honouredBy: []))
        let fakechroot = EngineSummary.list(EngineSummary.options(honouredBy: [.fakechroot]))
        let proot = EngineSummary.list(EngineSummary.options(honouredBy: [.proot]))
        return """
            .SH ENGINES
            Where the kernel refuses the namespaces, the id map or the first mount, and only there, another
            engine runs the command. One line on standard error says which, why, and what it does not
            isolate;
            .B \\-\\-quiet
            silences it, and
            .B \\-\\-require isolation
            makes it an error. Statuses, signals, time limits, environment, working directory and the private
            .I /tmp
            are the same in every engine, and what an engine cannot honour is an error that names the option.
            .TP
            .B userns
            Namespaces and mounts, which honour every option.
            .TP
            .B fakechroot
            The root's own loader with libfakechroot, which translates the paths of library calls. It costs
            some milliseconds a launch and little afterwards, and so comes first. Static programs and those
            built by Go are refused by name. The root is made of symbolic links, which programs see that do
            not follow links. A child that empties its environment other than by
            .BR env (1)
            leaves the root,
            .BR getcwd (3)
            can give a path of the host's, and links of the root that begin with a slash lead to the host
            but in its directories of programs and libraries. Of what needs namespaces it honours
            \(escape(fakechroot)).
            .TP
            .B proot
            Each system call with a path is translated by
            .BR ptrace (2),
            which makes it many times slower. Static programs run, and those of other architectures. Of what
            needs namespaces it honours \(escape(proot)).
            .PP
            Neither honours \(escape(both)).

            """
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "'" where result.isEmpty: result += "\\(aq"
            case "." where result.isEmpty: result += "\\&."
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
