import Foundation

/// A squashfs file, unpacked by unsquashfs(1).
struct SquashfsImage {
    let path: String

    /// Unpacks into `tree`, after adding up what the image says it contains, and puts placeholders
    /// where devices were.
    func extract(to tree: PartialTree, budget: ExtractionBudget) throws {
        let listing = try listContents()
        try declare(listing, budget)
        var tool = ExternalTool(
            name: "unsquashfs", package: "squashfs-tools", inherited: [tree.lock])
        var arguments = ["-no-progress", "-quiet", "-force", "-dest", tree.path, path]
        if geteuid() != 0 {
            // Status 2: some devices or attributes could not be made, as only root can.
            tool.acceptedStatuses = [0, 2]
            arguments.insert("-user-xattrs", at: 0)
        }
        try tool.run(arguments, cannot: "import", path)
        try replaceDevices(tree)
        if geteuid() != 0 { try restoreSpecialModes(tree, listing) }
    }

    /// A line an entry: mode, owner, size, date, time, name.
    private func listContents() throws -> [Line] {
        let tool = ExternalTool(name: "unsquashfs", package: "squashfs-tools")
        let listing = try tool.run(["-lln", path], cannot: "list", path)
        return listing.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count == 6, fields[0].count == 10 else { return nil }
            return Line(
                mode: Array(fields[0]),
                size: Int64(String(decoding: fields[2], as: UTF8.self)) ?? 0,
                name: ByteString(Array(fields[5])))
        }
    }

    private struct Line {
        var mode: [UInt8]
        var size: Int64
        /// Starts with `squashfs-root`.
        var name: ByteString
    }

    /// A file name may hold a newline and look like another line, but that only adds to the sum.
    private func declare(_ listing: [Line], _ budget: ExtractionBudget) throws {
        let name = try EntryPath(archived: ByteString(path))
        var total: Int64 = 0
        for line in listing {
            try budget.spendEntry(name)
            guard line.mode[0] == UInt8(ascii: "-") else { continue }
            let (sum, overflow) = total.addingReportingOverflow(line.size)
            total = overflow ? .max : sum
        }
        try budget.declare(total, for: name)
    }

    /// unsquashfs(1) leaves out setuid, setgid and sticky unless root runs it.
    private func restoreSpecialModes(_ tree: PartialTree, _ listing: [Line]) throws {
        for line in listing where "-d".utf8.contains(line.mode[0]) {
            var special: mode_t = 0
            for (position, bit) in [(3, 0o4000), (6, 0o2000), (9, 0o1000)]
            where "sStT".utf8.contains(line.mode[position]) {
                special |= mode_t(bit)
            }
            guard special != 0 else { continue }
            let names = try EntryPath(archived: line.name).names.dropFirst()
            let path = names.reduce(EntryPath.root) { $0.appending($1) }
            let opened = tree.root.open(path, O_RDONLY | O_NONBLOCK)
            // One without read permission stays as it is: it cannot be opened to be changed.
            guard let file = try? Descriptor(opened, cannot: "open", path.printable) else {
                continue
            }
            let mode = try file.status(cannot: "examine", path.printable).st_mode & 0o777
            guard fchmod(file.number, mode | special) == 0 else {
                throw RootFilesystemError(
                    cannot: "change the mode of", path.printable, errno: errno)
            }
        }
    }

    private func replaceDevices(_ tree: PartialTree) throws {
        let reader = try TreeReader(path: tree.path)
        while let entry = try reader.next() {
            guard entry.kind == .device else { continue }
            let parent = try tree.root.openDirectory(
                entry.path.parent, cannot: "open the directory")
            let result = entry.path.name.withCString { name in
                guard unlinkat(parent.number, name, 0) == 0 else { return Int32(-1) }
                let made = openat(
                    parent.number, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    mode_t(entry.attributes.mode & 0o777))
                return made < 0 ? -1 : close(made)
            }
            guard result == 0 else {
                throw RootFilesystemError(
                    cannot: "replace the device", entry.path.printable, errno: errno)
            }
        }
    }
}
