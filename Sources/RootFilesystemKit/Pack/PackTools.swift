// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What a pack brings along for machines that refuse user namespaces.
struct PackTools {
    /// Paths in the pack below `lib/nsrun`, and the files they come from.
    private(set) var files: [(path: String, source: String)] = []
    /// What is missing, and what of that follows.
    private(set) var warnings: [String] = []

    init(root: String, launcher: String, proot: String?) throws {
        findFakechroot(root)
        try findProot(proot, launcher: launcher)
    }

    /// The root's own fits its C library; another one is tried out by nsrun before each first use.
    private mutating func findFakechroot(_ root: String) {
        let name = "fakechroot/libfakechroot.so"
        if Self.find(name, in: root + "/usr/lib") != nil { return }
        if let found = Self.find(name, in: "/usr/lib") {
            files.append(("libfakechroot.so", found))
        } else {
            warnings.append(
                "no libfakechroot: install that package in the rootfs, or the engine fakechroot is not there"
            )
        }
    }

    private static func find(_ name: String, in folder: String) -> String? {
        let triplets = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return triplets.sorted().map { "\(folder)/\($0)/\(name)" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }

    private static let withoutProot =
        "without a proot, static programs will not run where user namespaces are refused"

    /// The one that is named must be sound; one that merely lies around is taken if it is.
    private mutating func findProot(_ given: String?, launcher: String) throws {
        let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let candidates = search.split(separator: ":").map { "\($0)/proot" }
        let found = given ?? candidates.first { access($0, X_OK) == 0 }
        guard let found else {
            warnings.append(Self.withoutProot + "; --proot FILE packs one")
            return
        }
        do {
            let parts = try ProgramParts(found)
            try check(parts, launcher: launcher)
            files += parts.files.map { ("proot/\($0.name)", $0.source) }
        } catch let error as RootFilesystemError where given == nil {
            warnings.append(
                Self.withoutProot
                    + ": \(found) is not packed, for \(error.cause); --proot FILE packs another")
        }
    }

    /// nsrun tries it as it would in the pack.
    private func check(_ parts: ProgramParts, launcher: String) throws {
        let scratch = try ScratchDirectory()
        let folder = scratch.path
        let start =
            parts.hasLoader
            ? "#!/bin/sh\nexec \(folder)/ld.so --library-path \(folder) \(folder)/proot \"$@\"\n"
            : "#!/bin/sh\nexec \(folder)/proot \"$@\"\n"
        do {
            for file in parts.files {
                // What a link leads to, not the link.
                let source = URL(fileURLWithPath: file.source).resolvingSymlinksInPath().path
                try FileManager.default.copyItem(atPath: source, toPath: "\(folder)/\(file.name)")
            }
            try Data(start.utf8).write(to: URL(fileURLWithPath: "\(folder)/start"))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: "\(folder)/start")
        } catch {
            throw RootFilesystemError(
                cannot: "try", parts.program, because: Self.cause(of: error))
        }
        let tool = ExternalTool(
            name: launcher, package: "nsrun", environment: ["NSRUN_PROOT": "\(folder)/start"])
        try withExtendedLifetime(scratch) {
            _ = try tool.run(
                ["--engine", "proot", "--chdir", "/", "true"], cannot: "pack", parts.program)
        }
    }

    /// What a call of FileManager's failed for.
    private static func cause(of error: any Error) -> String {
        let code = ((error as? CocoaError)?.underlying as? POSIXError)?.code
        return code.map { String(cString: strerror($0.rawValue)) } ?? "\(error)"
    }
}

/// A program with its loader and its libraries, to be started elsewhere.
struct ProgramParts {
    let program: String
    private(set) var files: [(name: String, source: String)] = []
    private(set) var hasLoader = false

    /// Asks the program's loader for what it loads (ld.so(8)): this host's, or that of the tree in which the
    /// program was unpacked.
    init(_ program: String) throws {
        self.program = program
        guard access(program, X_OK) == 0 else {
            throw RootFilesystemError(
                cannot: "pack", program, because: "it is not there, or not executable")
        }
        files.append(("proot", program))
        let own = program.parentPath.parentPath
        var tried: [(loader: String, arguments: [String])] = []
        for library in ["lib", "usr/lib"] {
            let folders =
                (try? FileManager.default.contentsOfDirectory(atPath: "\(own)/\(library)")) ?? []
            for folder in folders.sorted() where folder.contains("-linux-") {
                let path = "\(own)/\(library)/\(folder)"
                let loaders = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
                for name in loaders.sorted() where name.hasPrefix("ld-linux") {
                    tried.append(("\(path)/\(name)", ["--library-path", path]))
                }
            }
        }
        var failure: RootFilesystemError?
        for (loader, arguments) in tried {
            do {
                let tool = ExternalTool(name: loader, package: "libc6")
                let printed = try tool.run(
                    arguments + ["--list", program], cannot: "pack", program)
                hasLoader = true
                files.append(("ld.so", loader))
                files += Self.libraries(String(decoding: printed, as: UTF8.self))
                return
            } catch let error as RootFilesystemError {
                failure = error
            }
        }
        // A static program needs no loader, and the loader says so.
        if let failure, !failure.cause.contains("not a dynamic executable"),
            !failure.cause.contains("statically linked")
        {
            throw failure
        }
    }

    /// Lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f...)`.
    static func libraries(_ list: String) -> [(name: String, source: String)] {
        list.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count >= 3, words[1] == "=>", words[2].hasPrefix("/"),
                !words[0].contains("/")  // the loader itself
            else { return nil }
            return (words[0], words[2])
        }
    }
}
