// SPDX-License-Identifier: Apache-2.0

import CPack
import CRootFilesystem
import FoundationEssentials
import Glibc

/// Makes a pack of a rootfs: a folder, in an archive, in which `bin/NAME` runs a program from wherever the
/// folder lies, on any Linux of that architecture, as any user, with nothing installed. Or a single file
/// that runs by itself.
public struct Packer {
    public var entries: [PackEntry] = []
    public var temporary = PackTemporary.private
    /// Further options of nsrun for every entry.
    public var options: [String] = []
    /// A static nsrun; by default the one beside this program, else on the PATH.
    public var launcher: String?
    /// A proot to bring along; by default the one on the PATH, if it is sound.
    public var proot: String?
    public var isSelfExtracting = false
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Packs `source` into `file`. Returns what the pack lacks, in words.
    public func pack(_ source: Destination, to file: String) throws -> [String] {
        guard source.exists else { throw source.notFound }
        for entry in entries { try check(entry, in: source) }
        let launcherPath = try findLauncher()
        let launcher = try PackLauncher(launcherPath)
        let tools = try PackTools(root: source.path, launcher: launcherPath, proot: proot)
        let compression = try isSelfExtracting ? .gzip : Self.compression(suffixOf: file)
        progress.begin("packing \(source.label)")
        let output = try PartialFile(for: file)
        if isSelfExtracting {
            // The mark says where the archive is and what it hashes to: written last, over zeros.
            try output.file.write(
                [UInt8](repeating: 0, count: launcher.count), at: 0, cannot: "write", file)
            guard lseek(output.file.number, off_t(launcher.count), SEEK_SET) >= 0 else {
                throw RootFilesystemError(cannot: "write", file, errno: errno)
            }
        }
        let name = isSelfExtracting ? nil : Self.folderName(of: file)
        try writeTree(source, tools, launcher, name, compression, to: output)
        if isSelfExtracting {
            let hash = try output.file.digest(from: launcher.count)
            let head = launcher.marked(NSRUN_PACK_ARCHIVE, offset: launcher.count, hash: hash)
            try output.file.write(Array(head), at: 0, cannot: "write", file)
            fchmod(output.file.number, 0o755)
        }
        try output.commit()
        progress.end()
        return tools.warnings
    }

    private func writeTree(
        _ source: Destination, _ tools: PackTools, _ launcher: PackLauncher, _ name: String?,
        _ compression: ArchiveWriter.Compression, to output: PartialFile
    ) throws {
        let latest = try Exporter.latestTime()
        let total = progress.isBar ? try DiskUsage.bytes(below: source.path) : 0
        let writer = try ArchiveWriter(
            to: output.file, name: output.path, compression: compression, latest: latest)
        let now = min(latest, Int(Date().timeIntervalSince1970))
        let tree = try PackTree(writer, name: name, modified: now)
        for folder in ["bin", "lib", "lib/nsrun", "lib/nsrun/entries"] {
            try tree.directory(folder)
        }
        let settings = PackSettings(temporary: temporary, options: options)
        for (index, entry) in entries.enumerated() {
            try tree.file(
                "lib/nsrun/entries/\(entry.name)", Data(settings.text(of: entry).utf8), mode: 0o644)
            let first = "bin/\(entries[0].name)"
            if index == 0 {
                try tree.file(first, launcher.marked(NSRUN_PACK_FOLDER), mode: 0o755)
            } else {
                try tree.hardLink("bin/\(entry.name)", to: first)
            }
        }
        try tree.file("lib/nsrun/main", Data((entries[0].name + "\n").utf8), mode: 0o644)
        if tools.files.contains(where: { $0.path.hasPrefix("proot/") }) {
            try tree.directory("lib/nsrun/proot")
        }
        for file in tools.files {
            guard let bytes = FileManager.default.contents(atPath: file.source) else {
                throw RootFilesystemError(cannot: "read", file.source, errno: ENOENT)
            }
            try tree.file("lib/nsrun/\(file.path)", bytes, mode: 0o755)
        }
        let record = source.image { [progress] in progress.note($0) }
        try tree.root(source.path, record.portableText) { progress.advance(to: $0, of: total) }
        try writer.finish()
    }

    // MARK: What is given

    private func check(_ entry: PackEntry, in source: Destination) throws {
        let root = try Descriptor.open(
            source.path, O_RDONLY | O_DIRECTORY, cannot: "open the rootfs")
        let program = entry.command[0]
        let found = nsrun_rootfs_open_in_root(
            root.number, program, nsrun_rootfs_o_path | O_CLOEXEC)
        guard found >= 0 else {
            throw RootFilesystemError(
                cannot: "pack", "--entry \(entry.name)=\(program)",
                because: "the rootfs has no such program",
                remedy:
                    "nsrun --rootfs \(source.label) ls \(program.parentPath)"
            )
        }
        let descriptor = try Descriptor(found, cannot: "open", program)
        let status = try descriptor.status(cannot: "examine", program)
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else {
            throw RootFilesystemError(
                cannot: "pack", "--entry \(entry.name)=\(program)", because: "it is not executable")
        }
    }

    private func findLauncher() throws -> String {
        if let launcher { return launcher }
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = own.parentPath + "/nsrun"
        let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin"
        let candidates = [beside] + search.split(separator: ":").map { "\($0)/nsrun" }
        guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw RootFilesystemError(
                cannot: "find", "nsrun",
                because: "it is neither beside this program nor on the PATH",
                remedy: "name it with --launcher")
        }
        return found
    }

    private static func compression(suffixOf file: String) throws -> ArchiveWriter.Compression {
        guard case .tar(let compression) = try? Exporter.Format(suffixOf: file) else {
            throw RootFilesystemError(
                cannot: "pack into", file, because: "the suffix names no format",
                remedy: "use .tar, .tar.gz, .tar.bz2, .tar.xz or .tar.zst, or --self-extracting")
        }
        return compression
    }

    /// The file's name without what says its format.
    static func folderName(of file: String) -> String {
        let name = file.lastName
        for end in [".tar", ".tgz"] {
            if let place = name.ranges(of: end).last?.lowerBound {
                return place == name.startIndex ? "pack" : String(name[..<place])
            }
        }
        return "pack"
    }
}

extension Descriptor {
    /// The first 128 bits of SHA-256 over all that follows, in hexadecimal.
    fileprivate func digest(from offset: Int) throws -> String {
        var hash = SHA256()
        var place = off_t(offset)
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            try Interruption.check()
            let count = pread(number, &buffer, buffer.count, place)
            guard count >= 0 else {
                throw RootFilesystemError(cannot: "read", "the pack", errno: errno)
            }
            if count == 0 { break }
            buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            place += off_t(count)
        }
        return String(hash.finish().prefix(32))
    }
}
