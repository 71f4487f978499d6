// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// What nsrun-rootfs keeps in a root file system beside its files: `ROOT/.nsrun/NAME`.
///
/// So it goes with the root however that is named or moved, and vanishes with it. It is believed only where
/// nobody else can have put it there, see `nsrun_open_record`.
public enum RootRecord {
    /// The directory of all records, at the top of a root.
    public static let directory: ByteString = ".nsrun"
    /// How an image wants to be run.
    public static let image: ByteString = "image"
    /// Which package has which file.
    public static let packages: ByteString = "packages"
    /// The most that a record of how to run an image may hold, in bytes.
    public static let largestImage = 1 << 20

    public enum Finding: Sendable, Equatable {
        case none
        case content([UInt8])
        /// It is there and not believed. In words: what it is, and why.
        case refused(String)
        /// It may be there, and cannot be read just now: `code` is the errno.
        case unreadable(String, code: Int32)
    }

    /// Reads a record of the root that a path leads to, through links too.
    public static func read(_ name: ByteString, of root: ByteString, limit: Int) -> Finding {
        let place = root.appending(path: directory).appending(path: name)
        let opened = withCString(root) { nsrun_open_directory($0) }
        if opened == -ENOTDIR, name == image { return readTrailer(of: root, limit: limit) }
        guard opened >= 0 else { return passing(-opened, root) ?? .none }
        defer { closeDescriptor(opened) }
        let finding = read(name, in: opened, limit: limit, as: place)
        // Of a root that is closed to the caller there is more to say than that.
        let isOpen = finding == .none || HostFile.exists(root.appending(path: "."))
        return isOpen ? finding : .none
    }

    /// The same of an open root; `place` is for messages.
    public static func read(
        _ name: ByteString, in root: Int32, limit: Int, as place: ByteString
    ) -> Finding {
        var fault = NSRUN_FAULT_NONE
        let file = withCString(name) { nsrun_open_record(root, $0, Int64(limit), &fault) }
        return content(file, fault, limit, place)
    }

    /// Reads what older versions kept beside a root of the store, `STORE/ROOT.NAME`.
    public static func readBeside(
        _ name: ByteString, _ root: ByteString, in store: ByteString, limit: Int
    ) -> Finding {
        let file = root + "." + name
        let opened = withCString(store) { nsrun_open_directory($0) }
        guard opened >= 0 else { return .none }
        defer { closeDescriptor(opened) }
        var fault = NSRUN_FAULT_NONE
        let record = withCString(file) { nsrun_open_beside(opened, $0, Int64(limit), &fault) }
        return content(record, fault, limit, store.appending(path: file))
    }

    /// Reads what stands at the end of a root that is a file, behind the file system: whoever owns the file says what is
    /// in the root, and so this is believed unless others can write to it.
    static func readTrailer(of file: ByteString, limit: Int) -> Finding {
        var fault = NSRUN_FAULT_NONE
        let opened = withCString(file) { nsrun_open_trailer($0, Int64(limit), &fault) }
        if opened < 0, fault == NSRUN_FAULT_NONE { return passing(-opened, file) ?? .none }
        let length = Int(NSRUN_IMAGE_TRAILER)
        let found = content(opened, fault, limit + length, file)
        guard case .content(let bytes) = found else { return found }
        return .content(Array(bytes.dropLast(length)))
    }

    /// What to add to a file of `size` bytes, so that it has a record at its end: with it the file is as long as a whole
    /// number of pages, as some who mount it insist.
    public static func trailer(_ record: [UInt8], after size: Int) -> [UInt8] {
        let page = 4096
        let end =
            Array("nsrun image 1\n".utf8) + [0, 0]
            + [UInt8](littleEndian: UInt64(record.count), count: 8)
        let padding = (page - (size + record.count + end.count) % page) % page
        return [UInt8](repeating: 0, count: padding) + record + end
    }

    /// A want of descriptors or memory and a fault of the disk say nothing of the file.
    private static func passing(_ code: Int32, _ place: ByteString) -> Finding? {
        switch code {
        case EMFILE, ENFILE, ENOMEM, EIO, EINTR, ESTALE:
            .unreadable("\(place.text): \(reason(code))", code: code)
        default: nil
        }
    }

    private static func content(
        _ file: Int32, _ fault: nsrun_fault, _ limit: Int, _ place: ByteString
    ) -> Finding {
        if file == -ENOENT { return .none }
        if file < 0, fault == NSRUN_FAULT_NONE, let passing = passing(-file, place) {
            return passing
        }
        guard file >= 0 else {
            let cause =
                switch fault {
                case NSRUN_FAULT_OWNER: "it belongs to somebody else than the root's owner"
                case NSRUN_FAULT_WRITABLE: "others can write to it"
                case NSRUN_FAULT_KIND: "it is not a file of nsrun-rootfs"
                case NSRUN_FAULT_SIZE: "it is longer than \(limit) bytes"
                default: reason(-file)
                }
            return .refused("\(place.text): \(cause)")
        }
        defer { closeDescriptor(file) }
        switch HostFile.read(descriptor: file, limit: limit) {
        case .content(let bytes): return .content(bytes)
        case .failure(let cause, _): return .refused("\(place.text): \(cause)")
        }
    }
}
