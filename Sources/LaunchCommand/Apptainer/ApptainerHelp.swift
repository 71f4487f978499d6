// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What `apptainer help` says.
enum ApptainerHelp {
    /// The Apptainer whose manners the name calls for. Callers look at it under both names.
    static let version = "1.4.5"

    static var verbs: String {
        ApptainerVerb.allCases.map { verb in
            (verb.group.map { $0.text + " " } ?? "") + verb.name.text
        }.joined(separator: ", ")
    }

    static var text: String {
        var text = """
            nsrun \(nsrunVersion), as Apptainer \(version)

            Usage:
              apptainer [global options...] VERB [options...]

              apptainer exec [options...] IMAGE COMMAND [ARG]...   run a command in an image
              apptainer run [options...] IMAGE [ARG]...            run an image's runscript
              apptainer shell [options...] IMAGE                   start a shell in an image
              apptainer test [options...] IMAGE [ARG]...           run an image's test
              apptainer inspect [options...] IMAGE                 show what an image says of itself
              apptainer pull [options...] [FILE] URI               fetch an image into a file
              apptainer build [options...] FILE|DIR SOURCE         make an image of another one, or as a
                                                                   definition file says
              apptainer instance start|run [options...] IMAGE NAME [ARG]...
                                                                   run an image's startscript, or its
                                                                   runscript, in the background
              apptainer instance list [options...] [NAME]          which there are; * and ? in NAME are patterns
              apptainer instance stop [options...] NAME|--all      end them
              apptainer cache list|clean [options...]              what is kept of images that were fetched
              apptainer version | help

            IMAGE is a SIF, a squashfs or a directory; or what one is made of: docker://NAME, docker-archive:FILE,
            oci-archive:FILE, oci:DIR. In an instance exec, run, shell and test are by instance://NAME.

            """
        let parts: [(String, ApptainerOption.Verbs)] = [
            ("Global options", .general), ("exec, run, shell, test", [.action, .shell]),
            ("instance start, instance run: those, and", .instance),
            ("instance list, instance stop", [.instanceList, .instanceStop]),
            ("pull, build", [.pull, .build]), ("inspect", .inspect),
            ("cache list, cache clean", [.cacheList, .cacheClean]),
        ]
        for (title, verbs) in parts {
            text += "\n\(title):\n"
            for option in ApptainerOptions.all
            where !option.verbs.isDisjoint(with: verbs) && option.help.utf8CodeUnitCount > 0 {
                text += line(option)
            }
        }
        return text
    }

    private static func line(_ option: ApptainerOption) -> String {
        var name = "    "
        if option.letter > 0 {
            name = "-" + String(decoding: [option.letter], as: UTF8.self) + ", "
        }
        name += "--" + option.name.text
        if !option.isFlag { name += " " + option.value.text }
        while name.utf8.count < 30 { name += " " }
        return "  \(name) \(option.help.text)\n"
    }
}
