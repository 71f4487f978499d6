// SPDX-License-Identifier: Apache-2.0

import CHost

/// An open directory that nobody but the caller and real root can change, rename or put another one in the
/// place of: what lies in it is the caller's own, and its path stays true.
///
/// Looked at by descriptor, from the topmost directory on, see `nsrun_open_controlled`.
public struct ControlledDirectory: Sendable {
    /// Whoever opens it closes it.
    public let descriptor: Int32
    /// Without links.
    public let path: ByteString

    /// Why a directory is not that.
    public struct Refusal: Error, Sendable, Equatable {
        /// Names what is to blame, which may be a directory above.
        public var cause: String
        /// The error number, EPERM where it is somebody else's power.
        public var code: Int32
    }

    /// Opens it; what is missing is made, for the caller alone, where that is wanted.
    public static func open(
        _ path: ByteString, making: Bool = false
    ) throws(Refusal) -> ControlledDirectory {
        var place = path
        var fault = NSRUN_FAULT_NONE
        let descriptor = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8192) { buffer in
            let opened = withCString(path) {
                nsrun_open_controlled($0, making, buffer.baseAddress!, buffer.count, &fault)
            }
            place = ByteString(cString: buffer.baseAddress!)
            return opened
        }
        guard descriptor >= 0 else { throw refusal(place, fault, -descriptor) }
        return ControlledDirectory(descriptor: descriptor, path: place)
    }

    /// Opens a directory in it that is the caller's alone, too; nil where there is none of that name.
    public func open(_ name: ByteString) throws(Refusal) -> ControlledDirectory? {
        var fault = NSRUN_FAULT_NONE
        let opened = withCString(name) { nsrun_open_own(descriptor, $0, &fault) }
        let place = path.appending(path: name)
        if opened == -ENOENT { return nil }
        guard opened >= 0 else { throw Self.refusal(place, fault, -opened) }
        return ControlledDirectory(descriptor: opened, path: place)
    }

    /// Makes a directory in it, for the caller alone. A negative error number where that fails.
    public func make(_ name: ByteString) -> Int32 {
        withCString(name) { nsrun_make_directory_at(descriptor, $0) }
    }

    /// Gives an entry of it another name (renameat(2)). 0 or a negative error number.
    public func rename(_ name: ByteString, to other: ByteString) -> Int32 {
        withCString(name) { name in
            withCString(other) { nsrun_rename_at(descriptor, name, $0) }
        }
    }

    /// Removes an entry of it, with all that is below. 0 or a negative error number.
    public func remove(_ name: ByteString) -> Int32 {
        withCString(name) { nsrun_remove_at(descriptor, $0, -1, nil, nil, 0) }
    }

    public func close() { closeDescriptor(descriptor) }

    private static func refusal(
        _ place: ByteString, _ fault: nsrun_fault, _ code: Int32
    ) -> Refusal {
        let name = place.text
        let cause =
            switch fault {
            case NSRUN_FAULT_OWNER: "\(name) belongs to somebody else"
            case NSRUN_FAULT_WRITABLE: "others can write to \(name), and exchange what is in it"
            case NSRUN_FAULT_KIND: "\(name) is not a directory"
            default: "\(name): \(reason(code))"
            }
        return Refusal(cause: cause, code: code)
    }
}
