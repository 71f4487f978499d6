// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// Images that were fetched, as SIF files: `cache` in APPTAINER_CACHEDIR or in `~/.apptainer`, where Apptainer has its own,
/// too. Nobody else can change it.
public struct ContainerCache {
    /// Without links.
    public let directory: String

    /// The kinds that Apptainer tells apart, in its order. What nsrun makes are the temporary files of container images.
    public static let kinds = ["blob", "library", "oci-tmp", "shub", "oras", "net"]
    private static let own = "oci-tmp"

    /// Where it is to be.
    static func place(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        home: String? = HostProcess.account?.home.text
    ) -> String {
        for kind in ["CACHEDIR", "CONFIGDIR"] {
            for name in ["APPTAINER_\(kind)", "SINGULARITY_\(kind)"] {
                if let folder = environment[name], !folder.isEmpty { return folder + "/cache" }
            }
        }
        return (home ?? environment["HOME"] ?? "") + "/.apptainer/cache"
    }

    public init() throws { try self.init(Self.place()) }

    init(_ place: String) throws {
        let absolute =
            place.hasPrefix("/") ? place : FileManager.default.currentDirectoryPath + "/" + place
        do throws(ControlledDirectory.Refusal) {
            let opened = try ControlledDirectory.open(ByteString(absolute), making: true)
            directory = String(decoding: opened.path.bytes, as: UTF8.self)
        } catch {
            throw RootFilesystemError(
                cannot: "keep images in", place, because: error.cause,
                remedy: "set APPTAINER_CACHEDIR to a directory of yours alone")
        }
    }

    /// Where the image of that key is, or is to be.
    func path(of key: String) throws -> String {
        let folder = "\(directory)/\(Self.own)"
        try makeDirectories(folder, mode: 0o700)
        return "\(folder)/\(key)"
    }

    /// Gives somebody a file of his own.
    func copy(_ cached: String, to file: String) throws {
        let source = try Descriptor.open(cached, O_RDONLY, cannot: "read")
        let target = try PartialFile(for: file)
        var done: off_t = 0
        let size = try source.status(cannot: "examine", cached).st_size
        let buffer = BlockBuffer(size: 1 << 20)
        while done < size {
            try Interruption.check()
            let count = pread(source.number, buffer.bytes.baseAddress, buffer.bytes.count, done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw RootFilesystemError(
                    cannot: "copy", cached, errno: count < 0 ? errno : EIO)
            }
            try target.file.write(
                Array(buffer.bytes[..<count]), at: done, cannot: "write", target.path)
            done += off_t(count)
        }
        fchmod(
            target.file.number,
            try target.file.status(cannot: "examine", target.path).st_mode | 0o111)
        try target.commit()
    }

    // MARK: What there is

    public struct Entry {
        public let kind: String
        public let name: String
        let path: String
        /// In bytes.
        let size: Int64
        /// Seconds since 1970.
        let modified: Int

        /// By so many days.
        public func isOlder(than days: Int) -> Bool {
            Glibc.time(nil) - modified > days * 86400
        }
    }

    /// What is kept of a kind, by name.
    public func entries(_ kind: String) throws -> [Entry] {
        let folder = Self.folder(kind, in: directory)
        let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 && errno == ENOENT { return [] }
        let names = try listNames(owning: opened, folder).filter { !PartialName.holds($0) }
        return names.map(\.text).sorted().compactMap { name in
            var status = stat()
            let path = "\(folder)/\(name)"
            // Or it is gone meanwhile.
            guard lstat(path, &status) == 0 else { return nil }
            return Entry(
                kind: kind, name: name, path: path, size: Int64(status.st_size),
                modified: status.st_mtim.tv_sec)
        }
    }

    private static func folder(_ kind: String, in directory: String) -> String {
        kind == "blob" ? "\(directory)/blob/blobs/sha256" : "\(directory)/\(kind)"
    }

    /// Removes one; what runs from it goes on.
    public func remove(_ entry: Entry) throws {
        try TreeRemoval.remove(entry.path)
    }

    /// What `cache list` says.
    public func listing(_ kinds: [String], all: Bool) throws -> String {
        let wanted = Self.kinds.filter { kinds.contains("all") || kinds.contains($0) }
        let entries = try wanted.flatMap(entries)
        var text = ""
        if all {
            text += Self.row("NAME", "DATE CREATED", "SIZE", "TYPE")
            for entry in entries {
                text += Self.row(
                    String(entry.name.prefix(22)), Self.time(entry.modified),
                    Self.size(entry.size), entry.kind)
            }
            text += "\n"
        }
        let (blobs, files) = (
            entries.filter { $0.kind == "blob" }, entries.filter { $0.kind != "blob" }
        )
        func total(_ entries: [Entry]) -> String { Self.size(entries.reduce(0) { $0 + $1.size }) }
        var parts: [String] = []
        if wanted.contains(where: { $0 != "blob" }) {
            parts.append("\(files.count) container file(s) using \(total(files))")
        }
        if wanted.contains("blob") {
            parts.append("\(blobs.count) oci blob file(s) using \(total(blobs))")
        }
        return text + "There are \(parts.joined(separator: " and ")) of space\n"
            + "Total space used: \(total(entries))\n"
    }

    private static func row(_ cells: String...) -> String {
        let widths = [24, 22, 16]
        let padded = zip(cells, widths).map { cell, width in
            cell.harmlessLine + String(repeating: " ", count: max(0, width - cell.count))
        }
        return (padded + [cells[3]]).joined(separator: " ") + "\n"
    }

    private static func time(_ seconds: Int) -> String {
        var text = HostProcess.time(Int64(seconds))
        text.replace("T", with: " ")
        text.replace("Z", with: "")
        return text
    }

    /// As Apptainer counts.
    static func size(_ bytes: Int64) -> String {
        let units: [(limit: Int64, shift: Int64, name: String)] = [
            (1_000_000, 10, "KiB"), (1_000_000_000, 20, "MiB"), (1_000_000_000_000, 30, "GiB"),
            (Int64.max, 40, "TiB"),
        ]
        guard let unit = units.first(where: { bytes < $0.limit }) else { return "?" }
        let hundredths = Int64((Double(bytes) * 100 / Double(Int64(1) << unit.shift)).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) \(unit.name)"
    }
}
