// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// Presets of the user's and of the machine's: a file of arguments each, as an @FILE, by its name.
enum PresetFile {
    /// The first that has a name counts.
    private static var directories: [ByteString] {
        var found: [ByteString] = []
        if let own = HostProcess.variable("XDG_CONFIG_HOME"), own.isAbsolute {
            found.append(own.appending(path: "nsrun/presets"))
        } else if let home = HostProcess.variable("HOME"), home.isAbsolute {
            found.append(home.appending(path: ".config/nsrun/presets"))
        }
        return found + ["/etc/nsrun/presets"]
    }

    /// What the file of that name says; nil where there is none.
    static func words(named name: ByteString) throws(UsageError) -> [ByteString]? {
        guard isName(name) else { return nil }
        for directory in directories where HostFile.names(in: directory).contains(name) {
            return try ArgumentFile.read(directory.appending(path: name))
        }
        return nil
    }

    /// The names, and where each lies.
    static var all: [(name: ByteString, path: ByteString)] {
        var found: [(name: ByteString, path: ByteString)] = []
        for directory in directories {
            for name in HostFile.names(in: directory)
            where isName(name) && !found.contains(where: { $0.name == name }) {
                found.append((name, directory.appending(path: name)))
            }
        }
        return found
    }

    /// The presets of nsrun's own keep their meaning, whatever files there are.
    private static func isName(_ name: ByteString) -> Bool {
        !name.isEmpty && name.first != UInt8(ascii: ".") && !name.contains(UInt8(ascii: "/"))
            && Preset(named: name) == nil && name != "list"
    }

    /// For `--preset list`.
    static var list: String {
        var text = ""
        for preset in Preset.allCases {
            let sentence = preset.summary.text.split(separator: ":")[0].split(separator: ".")[0]
            text += line(preset.name.text, String(sentence))
        }
        for (name, path) in all { text += line(name.text, path.text) }
        return text
    }

    private static func line(_ name: String, _ says: String) -> String {
        name + String(repeating: " ", count: max(1, 12 - name.utf8.count)) + says + "\n"
    }
}
