// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// A program of the host's with all that it needs to start somewhere else.
public struct HostProgram: Sendable, Equatable {
    public enum Finding: Sendable, Equatable {
        case notLookedFor
        case found(HostProgram)
        case refused(LaunchError)
    }

    public struct Library: Sendable, Equatable {
        /// As the program asks for it.
        public var name: ByteString
        public var path: ByteString

        public init(name: ByteString, path: ByteString) {
            self.name = name
            self.path = path
        }
    }

    /// Where it was found, before links were resolved: the name that it should think to have.
    public var foundAs: ByteString
    /// The host's path of the program, as all paths here without links.
    public var path: ByteString
    /// What a script's first line puts before its own arguments: a word perhaps, and the script.
    public var leading: [ByteString] = []
    /// The dynamic loader, nil for a static program.
    public var loader: ByteString?
    /// The loader can be told the program's own name (`--argv0`, glibc 2.33), and to look into no cache.
    public var loaderTakesName = true
    public var loaderAvoidsCache = true
    public var libraries: [Library] = []

    public init(path: ByteString, foundAs: ByteString) {
        self.path = path
        self.foundAs = foundAs
    }
}

extension HostProgram.Finding {
    /// Looks a command up as the caller's shell would, and asks its loader what it loads (ld.so(8)).
    static func find(_ command: ByteString?, in facts: HostFacts) -> HostProgram.Finding {
        guard let command, !command.isEmpty else { return .refused(.emptyCommand) }
        var candidates: [ByteString] = []
        if command.contains(UInt8(ascii: "/")) {
            let here = facts.currentDirectory ?? "/"
            candidates.append(command.isAbsolute ? command : here.appending(path: command))
        } else {
            let path = facts.variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
            for directory in path.split(on: UInt8(ascii: ":")) where !directory.isEmpty {
                candidates.append(directory.appending(path: command))
            }
        }
        var unusable: ByteString?
        for candidate in candidates {
            guard let path = HostFile.canonicalPath(candidate) else { continue }
            if HostFile.isExecutable(path), !HostFile.isDirectory(path) {
                return examine(HostProgram(path: path, foundAs: candidate), depth: 0)
            }
            unusable = unusable ?? candidate
        }
        if let unusable {
            return .refused(
                LaunchError(
                    .notExecutable, "cannot run \(unusable.text): permission denied",
                    remedy: "it must be an ordinary file with execute permission (chmod +x)",
                    code: EACCES))
        }
        return .refused(
            LaunchError(
                .notFound, "cannot run \(command.text): not found on this host",
                remedy: "without \(OptionNames.current.hostExec) it is looked up in the rootfs",
                code: ENOENT))
    }

    /// As the kernel does, follows the first lines of scripts, whose interpreters may be scripts.
    private static func examine(_ program: HostProgram, depth: Int) -> HostProgram.Finding {
        var program = program
        let head = HostFacts.readFile(program.path, limit: 8192) ?? []
        var line = ShebangLine(bytes: head)
        if depth == 0, ShebangLine.isShells(head) { line = .standard }
        if depth < 5, let line {
            let script = "/run/host" + program.path
            program.leading = (line.argument.map { [$0] } ?? []) + [script] + program.leading
            guard let interpreter = HostFile.canonicalPath(line.interpreter) else {
                return .refused(missing(program.path, "its interpreter \(line.interpreter.text)"))
            }
            program.foundAs = line.interpreter
            program.path = interpreter
            return examine(program, depth: depth + 1)
        }
        guard let elf = ELFHead(bytes: head) else {
            return .refused(
                LaunchError(
                    .notExecutable,
                    "cannot run \(program.path.text): it is neither a program nor a script",
                    remedy: "name a program of this machine, or a script",
                    code: ENOEXEC))
        }
        guard let named = elf.interpreter else { return .found(program) }
        guard let loader = HostFile.canonicalPath(named) else {
            return .refused(missing(program.path, "its loader \(named.text)"))
        }
        program.loader = loader
        guard let answer = HostTool.run(loader, ["--list", program.path]), answer.succeeded else {
            return .refused(
                LaunchError(
                    .notExecutable,
                    "cannot run \(program.path.text): \(loader.text) cannot load it",
                    remedy: "try it on the host: \(loader.text) --list \(program.path.text)",
                    code: ENOEXEC))
        }
        for line in ByteString(bytes: answer.output).split(on: UInt8(ascii: "\n")) {
            guard let library = LoaderLine(line) else { continue }
            guard let path = library.path, let canonical = HostFile.canonicalPath(path) else {
                return .refused(missing(program.path, "its library \(library.name.text)"))
            }
            if canonical == loader { continue }
            program.libraries.append(.init(name: library.name, path: canonical))
        }
        let code = HostFacts.readFile(loader, limit: 1 << 22) ?? []
        program.loaderTakesName = code.holds("--argv0")
        program.loaderAvoidsCache = code.holds("--inhibit-cache")
        return .found(program)
    }

    private static func missing(_ program: ByteString, _ what: String) -> LaunchError {
        LaunchError(
            .notExecutable, "cannot run \(program.text): this host lacks \(what)",
            remedy: "it must run on the host before it can run in a rootfs", code: ENOENT)
    }
}

/// A line of what `ld.so --list` prints: `libc.so.6 => /lib/libc.so.6 (0x7f...)`, or a path alone where the
/// program names one.
struct LoaderLine: Equatable {
    var name: ByteString
    /// Nil where it was not found.
    var path: ByteString?

    init?(_ line: ByteString) {
        let text = ByteString(bytes: Array(line.bytes.drop { $0 == UInt8(ascii: "\t") }))
        var words = text.split(on: UInt8(ascii: " "))
        // Behind the path, which may hold blanks itself, stands the address.
        let hasAddress = words.last?.hasPrefix("(0x") == true
        if hasAddress { words.removeLast() }
        if words.count >= 3, words[1] == "=>" {
            name = words[0]
            words.removeFirst(2)
        } else if hasAddress, words.first?.isAbsolute == true {
            name = LoaderLine.join(words)
        } else {
            return nil
        }
        let rest = LoaderLine.join(words)
        if rest.isAbsolute { path = rest }
    }

    private static func join(_ words: [ByteString]) -> ByteString {
        var text = words[0]
        for word in words.dropFirst() { text = text + " " + word }
        return text
    }
}
