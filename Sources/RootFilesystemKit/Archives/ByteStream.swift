import CRootFilesystem
import Glibc

/// Bytes in order, from a file, a decompressor or a member of an archive.
protocol ByteStream: AnyObject {
    /// The next bytes, valid until the next call; nil at the end.
    func read() throws -> UnsafeRawBufferPointer?
}

/// A file, read from its start. `read(2)`
final class FileStream: ByteStream {
    private let file: Descriptor
    private let path: String
    private let buffer = BlockBuffer(size: 256 << 10)
    /// Bytes read so far.
    private(set) var position: Int64 = 0

    init(_ file: Descriptor, path: String) {
        self.file = file
        self.path = path
    }

    convenience init(opening path: String) throws {
        self.init(try Descriptor.open(path, O_RDONLY, cannot: "read"), path: path)
    }

    func read() throws -> UnsafeRawBufferPointer? {
        try Interruption.check()
        let count = Glibc.read(file.number, buffer.bytes.baseAddress, buffer.bytes.count)
        if count < 0 {
            if errno == EINTR { return try read() }
            throw RootFilesystemError(cannot: "read", path, errno: errno)
        }
        position += Int64(count)
        return count == 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    }
}

/// SHA-256 of what is fed to it. FIPS 180-4
struct SHA256 {
    private var state = nsrun_rootfs_sha256()

    init() {
        nsrun_rootfs_sha256_init(&state)
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        nsrun_rootfs_sha256_update(&state, bytes.baseAddress, bytes.count)
    }

    /// The digest in hexadecimal. Nothing may be fed afterwards.
    mutating func finish() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        nsrun_rootfs_sha256_final(&state, &digest)
        return digest.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
