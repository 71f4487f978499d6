// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Reads the extended attributes of open files, sorted by name; none where the file system has none.
struct ExtendedAttributeReader {
    /// The most that the kernel gives, for all names of a file together as for one value (XATTR_LIST_MAX,
    /// XATTR_SIZE_MAX), in bytes.
    static let largest = 64 << 10

    private let names = BlockBuffer(size: largest)
    private let value = BlockBuffer(size: largest)

    /// `flistxattr(2)`, `fgetxattr(2)`
    func read(_ file: Int32) -> [ExtendedAttribute] {
        let list = names.bytes.bindMemory(to: CChar.self)
        let length = flistxattr(file, list.baseAddress, list.count)
        guard length > 0 else { return [] }
        let found = names.bytes[..<length].split(separator: 0).map { ByteString(Array($0)) }
        return found.sorted().compactMap { name in
            let size = name.withCString {
                fgetxattr(file, $0, value.bytes.baseAddress, value.bytes.count)
            }
            return size < 0
                ? nil : ExtendedAttribute(name: name, value: Array(value.bytes[..<size]))
        }
    }
}
