// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem

/// A digest as container images write it, `ALGORITHM:HEX`. OCI content descriptor, "Digests"
struct ContentDigest: Hashable {
    /// Those that the specification registers, as far as they can be computed here.
    enum Algorithm: String, CaseIterable {
        case sha256, sha384, sha512

        /// How many hexadecimal digits there are.
        var length: Int {
            switch self {
            case .sha256: 64
            case .sha384: 96
            case .sha512: 128
            }
        }
    }

    let algorithm: Algorithm
    let hex: String

    /// Nil for what is no digest of these algorithms.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let algorithm = Algorithm(rawValue: String(parts[0])),
            Self.isHex(parts[1], algorithm.length)
        else { return nil }
        self.algorithm = algorithm
        hex = String(parts[1])
    }

    var text: String { "\(algorithm.rawValue):\(hex)" }

    /// Whether something is that many lower-case hexadecimal digits.
    static func isHex(_ text: some StringProtocol, _ length: Int) -> Bool {
        text.utf8.count == length
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// Computes a digest of this algorithm.
    struct Computation {
        private var short = SHA256()
        private var long = nsrun_rootfs_sha512()
        private let algorithm: Algorithm

        init(_ algorithm: Algorithm) {
            self.algorithm = algorithm
            nsrun_rootfs_sha512_init(&long, algorithm == .sha384 ? 1 : 0)
        }

        mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch algorithm {
            case .sha256: short.update(bytes)
            case .sha384, .sha512:
                nsrun_rootfs_sha512_update(&long, bytes.baseAddress, bytes.count)
            }
        }

        /// The digest in hexadecimal. Nothing may be fed afterwards.
        mutating func finish() -> String {
            if algorithm == .sha256 { return short.finish() }
            var digest = [UInt8](repeating: 0, count: 64)
            nsrun_rootfs_sha512_final(&long, &digest)
            return digest.prefix(algorithm.length / 2).map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
        }
    }

    /// Refuses contents, called `name` in messages, that are not what they were said to be.
    func compare(_ found: String, _ name: String) throws {
        guard found == hex else {
            throw RootFilesystemError(
                cannot: "read", name,
                because: "its digest is \(algorithm.rawValue):\(found), and should be \(text)",
                remedy: "the image is damaged or has been tampered with: fetch it again")
        }
    }
}
