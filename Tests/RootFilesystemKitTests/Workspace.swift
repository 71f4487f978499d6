// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import RootFilesystemKit

/// A directory of a test's own, gone with the object.
final class Workspace {
    let path: String

    init() throws {
        let parent = PathParts.split(NSTemporaryDirectory() + "/x").holder
        var template = Array("\(parent)/nsrun-rootfs-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw RootFilesystemError(cannot: "create", "a workspace", errno: errno)
        }
        path = template.withUnsafeBufferPointer { buffer in
            String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    deinit {
        try? TreeRemoval.remove(path)
    }

    var store: RootFilesystemStore { RootFilesystemStore(directory: path + "/store") }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    func destination(_ name: String) throws -> Destination {
        try Destination("\(path)/\(name)", store: store)
    }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = self(name)
        try makeDirectories((file as NSString).deletingLastPathComponent)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    /// Writes a program. By another process: one that a test beside this one starts meanwhile would for a moment have
    /// the file open for writing, too, and what is open so cannot be run.
    func script(_ name: String, _ text: String) throws {
        let draft = try write(name + ".draft", text)
        try ExternalTool(name: "install", package: "coreutils")
            .run(["-m", "755", draft, self(name)], cannot: "make", name)
        unlink(draft)
    }

    func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: self(name)).map { String(decoding: $0, as: UTF8.self) }
    }

    func names(_ directory: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self(directory)).sorted()
    }

    func status(_ name: String) throws -> stat {
        var status = stat()
        guard lstat(self(name), &status) == 0 else {
            throw RootFilesystemError(cannot: "examine", name, errno: errno)
        }
        return status
    }

    func importRoot(
        _ source: String, _ name: String = "root", limit: Int64? = nil
    ) throws {
        var importer = Importer(progress: ProgressReport(quiet: true))
        importer.architecture = "amd64"
        if let limit { importer.maximumSize = limit }
        try importer.importRoot(source, to: destination(name))
    }

    /// A tree as lines, for comparing: kind, mode, owner, time, path, and contents, target or the
    /// first of its names.
    func describe(_ name: String) throws -> [String] {
        let reader = try TreeReader(path: self(name))
        var lines: [String] = []
        while let entry = try reader.next() {
            var contents: [UInt8] = []
            while let block = try reader.nextBlock() {
                contents += [UInt8](repeating: 0, count: Int(block.offset) - contents.count)
                contents += block.bytes
            }
            // Where holes are is up to the file system; what reads as zeros is the same.
            if case .file(let size) = entry.kind {
                contents += [UInt8](repeating: 0, count: Int(size) - contents.count)
            }
            var hash = SHA256()
            contents.withUnsafeBytes { hash.update($0) }
            let attributes = entry.attributes
            let extended = attributes.extended.map { "\($0.name.printable)=\($0.value)" }
            lines.append(
                "\(entry.path.joined.bytes) \(entry.kind) \(String(attributes.mode, radix: 8)) "
                    + "\(attributes.owner):\(attributes.group) \(attributes.modified.seconds) "
                    + "\(extended) \(hash.finish())")
        }
        return lines
    }
}

/// What went wrong in `body`, nil if nothing did.
func failure(_ body: () throws -> Void) -> RootFilesystemError? {
    do {
        try body()
        return nil
    } catch {
        return error as? RootFilesystemError
            ?? RootFilesystemError(cannot: "expect", "\(error)", because: "it is of another type")
    }
}
