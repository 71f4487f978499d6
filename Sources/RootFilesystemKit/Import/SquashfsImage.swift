// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// A squashfs file, unpacked by unsquashfs(1).
struct SquashfsImage {
    /// Where it is.
    let path: String
    /// As the user knows it.
    let name: String
    /// The file, for programs that know it by its number.
    let file: Descriptor
    /// Where in the file it begins, in bytes.
    var offset: UInt64 = 0

    private var place: [String] { offset == 0 ? [] : ["-offset", String(offset)] }

    /// How it wants to be run, as far as it says so at its end; `warn` hears why that is not believed.
    func record(warn: (String) -> Void) -> ImageRecord {
        ImageRecord(
            RootRecord.read(RootRecord.image, of: ByteString(path), limit: RootRecord.largestImage),
            warn: warn)
    }

    /// Unpacks into `tree`, after adding up what the image says it contains, and puts placeholders
    /// where devices were.
    func extract(to tree: PartialTree, budget: ExtractionBudget) throws {
        let sticky = try listContents(budget)
        var tool = ExternalTool(
            name: "unsquashfs", package: "squashfs-tools", inherited: [tree.lock, file])
        // It would shut itself out of what it makes.
        tool.mask = 0o022
        var arguments =
            place + ["-no-progress", "-quiet", "-force", "-dest", tree.path, path]
        if geteuid() != 0 {
            // Status 2: some devices or attributes could not be made, as only root can.
            tool.acceptedStatuses = [0, 2]
            arguments.insert("-user-xattrs", at: 0)
        }
        try tool.run(arguments, cannot: "import", name)
        try replaceDevices(tree)
        if geteuid() != 0 { try restoreStickyBits(tree, sticky) }
        try SetIDBits().remove(from: tree.root, tree.path)
    }

    /// Adds up what the image says it contains, holes included. Gives the names of directories and files with the
    /// sticky bit, which start with `squashfs-root`.
    ///
    /// A line an entry: mode, owner, size, date, time, name. A file name may hold a newline and look like another
    /// line, but that only adds to the sum.
    private func listContents(_ budget: ExtractionBudget) throws -> [ByteString] {
        let tool = ExternalTool(
            name: "unsquashfs", package: "squashfs-tools", inherited: [file])
        let image = EntryPath.root
        var sticky: [ByteString] = []
        try tool.run(place + ["-lln", path], cannot: "list", name) { line in
            try budget.spendStream(line.count + 1, of: name)
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count == 6, fields[0].count == 10 else { return }
            let mode = Array(fields[0])
            let name = ByteString(Array(fields[5]))
            try budget.spendEntry(image)
            let isFile = mode[0] == UInt8(ascii: "-")
            if isFile {
                let size = Int64(String(decoding: fields[2], as: UTF8.self)) ?? .max
                try budget.spendSize(size, data: 0, on: image)
            }
            if isFile || mode[0] == UInt8(ascii: "d"), "tT".utf8.contains(mode[9]) {
                try budget.keep(name.bytes.count + 64, for: image)
                sticky.append(name)
            }
        }
        return sticky
    }

    /// unsquashfs(1) leaves them out, as set-id bits, unless root runs it.
    private func restoreStickyBits(_ tree: PartialTree, _ sticky: [ByteString]) throws {
        for name in sticky {
            let names = try EntryPath(archived: name).names.dropFirst()
            let path = names.reduce(EntryPath.root) { $0.appending($1) }
            let opened = tree.root.open(path, O_RDONLY | O_NONBLOCK)
            // One without read permission stays as it is: it cannot be opened to be changed.
            guard let file = try? Descriptor(opened, cannot: "open", path.printable) else {
                continue
            }
            let mode = try file.status(cannot: "examine", path.printable).st_mode & 0o777
            guard fchmod(file.number, mode | 0o1000) == 0 else {
                throw RootFilesystemError(
                    cannot: "change the mode of", path.printable, errno: errno)
            }
        }
    }

    private func replaceDevices(_ tree: PartialTree) throws {
        let reader = try TreeReader(tree.lock, path: tree.path)
        while let entry = try reader.next() {
            guard entry.kind == .device else { continue }
            let parent = try tree.root.openDirectory(
                entry.path.parent, cannot: "open the directory")
            let result = entry.path.name.withCString { name in
                guard unlinkat(parent.number, name, 0) == 0 else { return Int32(-1) }
                let made = openat(
                    parent.number, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    mode_t(entry.attributes.mode & 0o777))
                guard made >= 0 else { return -1 }
                // Whatever the umask says.
                fchmod(made, mode_t(entry.attributes.mode & 0o777))
                return close(made)
            }
            guard result == 0 else {
                throw RootFilesystemError(
                    cannot: "replace the device", entry.path.printable, errno: errno)
            }
        }
    }
}
