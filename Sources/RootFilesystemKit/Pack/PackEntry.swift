// SPDX-License-Identifier: Apache-2.0

/// A program of a pack: `bin/NAME` starts it.
public struct PackEntry: Equatable, Sendable {
    public var name: String
    /// In the root: the program, and arguments that always come first.
    public var command: [String]

    /// Reads `NAME=/usr/bin/PROG`; words after the program, separated by blanks, are its first arguments.
    public init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix("/") else {
            throw RootFilesystemError(
                cannot: "use", "--entry \(text)",
                because: "it is not of the form NAME=/usr/bin/PROG",
                remedy: "the program's path is the one inside of the rootfs")
        }
        name = String(parts[0])
        guard !name.isEmpty, name != ".", name != "..",
            !name.contains(where: { $0 == "/" || $0.isNewline })
        else {
            throw RootFilesystemError(
                cannot: "use", "--entry \(text)", because: "\"\(name)\" is no file name",
                remedy: "it becomes bin/NAME in the pack")
        }
        command = parts[1].split(separator: " ").map(String.init)
    }
}

/// What the command of a pack sees at `/tmp`.
public enum PackTemporary: String, CaseIterable, Sendable {
    case `private`, host
}

/// What nsrun is told by an entry: arguments, one a line, see `PackedProgram`.
struct PackSettings {
    var temporary = PackTemporary.private
    /// Further options of nsrun.
    var options: [String] = []

    func text(of entry: PackEntry) -> String {
        var lines = ["--home", "--cwd"]
        if temporary == .host { lines += ["--bind", "/tmp", "/tmp"] }
        return (lines + options + ["--"] + entry.command).joined(separator: "\n") + "\n"
    }
}
