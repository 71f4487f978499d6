// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A `.deb`: an ar archive of a format number, a control tar and a data tar. deb(5)
struct DebianArchive {
    let path: String
    let package: DebianPackage

    /// More than all control files of any package, in bytes.
    private static let controlLimit = 64 << 20

    /// Opens `path` and reads its control file.
    init(_ path: String) throws {
        self.path = path
        let reader = try ArchiveReader(.ar, FileStream(opening: path), name: path)
        guard try Self.find("control.tar", in: reader) else {
            throw Self.failure(path, "it has no control.tar")
        }
        let control = LimitedStream(
            try decompressed(MemberStream(reader), name: path), limit: Self.controlLimit, name: path
        )
        let tar = try ArchiveReader(.tar, control, name: path)
        while try tar.nextHeader() {
            guard try EntryPath(archived: tar.rawPath) == EntryPath("control") else { continue }
            var text: [UInt8] = []
            while let block = try tar.nextBlock() {
                text += block.bytes
                if text.count > 1 << 20 {
                    throw Self.failure(path, "its control file is too large")
                }
            }
            guard let package = DebianPackage(control: text) else {
                throw Self.failure(path, "its control file lacks a name, version or architecture")
            }
            self.package = package
            return
        }
        throw Self.failure(path, "it has no control file")
    }

    /// Starts to decompress the package's files, in another thread, up to `ahead` bytes.
    func startReading(ahead: Int) -> ThreadedStream {
        ThreadedStream(capacity: ahead) { [path] sink in
            let source = try FileStream(opening: path)
            let reader = try ArchiveReader(.ar, source, name: path)
            guard try Self.find("data.tar", in: reader) else {
                throw Self.failure(path, "it has no data.tar")
            }
            let contents = try decompressed(MemberStream(reader), name: path)
            while let block = try contents.read() {
                guard sink.write(block, position: source.position) else { return }
            }
        }
    }

    /// Moves to the member called `name`, with whatever suffix its compression has.
    private static func find(_ name: String, in reader: ArchiveReader) throws -> Bool {
        while try reader.nextHeader() {
            if reader.rawPath.bytes.starts(with: name.utf8) { return true }
        }
        return false
    }

    private static func failure(_ path: String, _ cause: String) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "unpack", path, because: cause,
            remedy: "give Debian packages: files made by dpkg-deb"
        )
    }
}
