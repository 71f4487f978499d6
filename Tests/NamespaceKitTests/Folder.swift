// SPDX-License-Identifier: Apache-2.0

import CHost
import Foundation

@testable import NamespaceKit

/// A directory that goes away with its last user.
final class Folder {
    let path: String

    init() throws {
        path = "/tmp/nsrun-unit-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { _ = withCString(ByteString(path)) { nsrun_remove_tree($0) } }

    func write(_ bytes: [UInt8], to name: String, mode: Int = 0o755) throws {
        try makeParent(of: name)
        try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
        try FileManager.default.setAttributes(
            [.posixPermissions: mode], ofItemAtPath: "\(path)/\(name)")
    }

    func link(_ name: String, to text: String) throws {
        try makeParent(of: name)
        try FileManager.default.createSymbolicLink(
            atPath: "\(path)/\(name)", withDestinationPath: text)
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }

    /// A path in it, without links.
    subscript(name: String) -> ByteString { ByteString("\(path)/\(name)") }

    private func makeParent(of name: String) throws {
        let parent = ("\(path)/\(name)" as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: true)
    }
}
