// SPDX-License-Identifier: Apache-2.0

import CNamespace
import CRootFilesystem
import FoundationEssentials
import Glibc
import NamespaceKit

/// Where a root file system is or is to be: a directory given by its path, or a name in the store.
public struct Destination: Equatable, Sendable {
    /// The absolute path of the directory.
    public let path: String
    /// As the user wrote it, for messages.
    public let label: String
    private let store: RootFilesystemStore

    /// What the store lists.
    init(name: String, in store: RootFilesystemStore) {
        path = store.directory + "/" + name
        label = name
        self.store = store
    }

    /// A path if there is a slash in `argument`, otherwise a name in `store`.
    public init(_ argument: String, store: RootFilesystemStore) throws {
        label = argument
        self.store = store
        guard argument.contains("/") else {
            path = try store.path(of: argument)
            return
        }
        // Not URL's resolution: that would follow a symbolic link at the end too.
        let absolute =
            argument.hasPrefix("/")
            ? argument : FileManager.default.currentDirectoryPath + "/" + argument
        let names = absolute.split(separator: "/").filter { $0 != "." }
        guard let last = names.last, last != ".." else {
            throw RootFilesystemError(
                cannot: "use", argument, because: "it does not end in the name of a directory")
        }
        path = "/" + names.joined(separator: "/")
    }

    /// The directory that holds it.
    var parent: String { path.parentPath }

    var name: String { path.lastName }

    /// Whether it is meant by its name.
    var isName: Bool { !label.contains("/") }

    /// Where older versions kept records of it, if it lies in the store.
    var legacyRecords: LegacyRecords? {
        parent == store.directory ? LegacyRecords(store: store, name: name) : nil
    }

    /// What is recorded of it; `warn` hears of a record that is not believed.
    public func image(warn: (String) -> Void = { _ in }) -> ImageRecord {
        ImageRecord(record(.image), warn: warn)
    }

    func record(_ file: RecordFile) -> RootRecord.Finding {
        // One that may be searched and not listed has its records all the same.
        let opened = Glibc.open(path, nsrun_rootfs_o_path | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 && errno == ENOTDIR {
            // A squashfs may have one, too.
            return RootRecord.read(file.name, of: ByteString(path), limit: file.largest)
        }
        guard let root = try? Descriptor(opened, cannot: "open", path) else { return .none }
        return record(file, in: root)
    }

    /// The same where the directory is open already.
    func record(_ file: RecordFile, in root: Descriptor) -> RootRecord.Finding {
        let finding = file.read(in: root, path)
        guard finding == .none, let legacy = legacyRecords else { return finding }
        let opened = openat(root.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard let root = try? Descriptor(opened, cannot: "open", path) else {
            return legacy.read(file)
        }
        return legacy.adopt(file, into: root, path)
    }

    /// Whether there is a directory.
    public var exists: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.isDirectory
    }

    /// Whether there is a file that can be a root.
    public var isImage: Bool {
        var magic: [UInt8] = [0, 0, 0, 0]
        guard let file = try? FileStream.open(path) else { return false }
        return pread(file.number, &magic, 4, 0) == 4 && magic == Array("hsqs".utf8)
    }

    /// Whether there is something already, other than an empty directory.
    var isTaken: Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        guard status.isDirectory,
            let names = try? FileManager.default.contentsOfDirectory(atPath: path)
        else { return true }
        return !names.isEmpty
    }

    var alreadyExists: RootFilesystemError {
        RootFilesystemError(
            cannot: "create", label, because: "it already exists",
            remedy: "choose another name, or remove it first: nsrun-rootfs remove \(label)")
    }

    /// What to say where it is not there.
    public var notFound: RootFilesystemError {
        guard isName else {
            return RootFilesystemError(
                cannot: "use the rootfs", label, because: "there is no such directory")
        }
        let directory = ByteString(store.directory)
        return RootFilesystemError(
            cannot: "use the rootfs", label, because: RootfsStore.absence(from: directory),
            remedy: RootfsStore.remedy(for: ByteString(label), in: directory))
    }
}
