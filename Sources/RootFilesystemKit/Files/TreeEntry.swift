// SPDX-License-Identifier: Apache-2.0

/// One thing in a tree of files, on its way from a source (an archive, a directory) to a sink.
struct TreeEntry {
    enum Kind: Equatable {
        case directory
        /// A regular file; `size` is its length in bytes, holes included.
        case file(size: Int64)
        case symbolicLink(target: ByteString)
        /// Another name for an entry that came before.
        case hardLink(to: EntryPath)
        case fifo
        /// A character or block device.
        case device
    }

    var path: EntryPath
    var kind: Kind
    var attributes: FileAttributes
    /// How many bytes of contents, without holes, the source says will follow.
    var announcedBytes: Int64 = 0
    /// In the upper directory of an overlayfs it stands for something below that was removed.
    var isWhiteout = false

    /// A second name for what would be a record of nsrun-rootfs.
    var isLinkToRecord: Bool {
        if case .hardLink(let target) = kind {
            target.isWithin(RecordFile.directory)
        } else {
            false
        }
    }
}

/// What `stat(2)` and `listxattr(2)` say of a file, besides its type and contents.
struct FileAttributes: Equatable {
    /// Permissions with setuid, setgid and sticky: the low twelve bits of `st_mode`.
    var mode: UInt32
    var owner: UInt32
    var group: UInt32
    /// Seconds since 1970, and nanoseconds.
    var modified: (seconds: Int, nanoseconds: Int)
    var extended: [ExtendedAttribute] = []

    mutating func giveToRoot() { (owner, group) = (0, 0) }

    /// Takes out what an archive says of how its root wants to be run.
    mutating func takeRecord() -> [UInt8]? {
        let found = extended.first { $0.name == RecordFile.attribute }?.value
        extended.removeAll { $0.name == RecordFile.attribute }
        return found
    }

    static func == (left: FileAttributes, right: FileAttributes) -> Bool {
        left.mode == right.mode && left.owner == right.owner && left.group == right.group
            && left.modified == right.modified && left.extended == right.extended
    }
}

/// A named value attached to a file. `xattr(7)`
struct ExtendedAttribute: Equatable {
    var name: ByteString
    var value: [UInt8]
}

/// A stretch of a file's contents. Between blocks, and up to the file's size, are holes.
struct FileBlock {
    /// Valid until the source is asked for anything else.
    var bytes: UnsafeRawBufferPointer
    var offset: Int64
}

/// A source that knows of the holes in a file before its contents are read.
protocol SparseSource: EntrySource {
    /// The stretches of data of the current file, as offset and length.
    func dataExtents() throws -> [(offset: Int64, length: Int64)]
}

/// A source whose files lie on a file system.
protocol FileSystemSource: EntrySource {
    /// The current entry, opened, if it is a file.
    var currentFile: Descriptor? { get }
}

/// Where a tree comes from: its entries in order, each directory before what is in it.
protocol EntrySource: AnyObject {
    /// The next entry, nil after the last.
    func next() throws -> TreeEntry?
    /// The next stretch of the current entry's contents, nil at its end. Offsets only grow.
    func nextBlock() throws -> FileBlock?
}
