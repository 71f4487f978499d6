// SPDX-License-Identifier: Apache-2.0

/// What a SIF holds, an image of Apptainer's in one file: a header of 128 bytes, a table of descriptors of 585 bytes
/// each, and what they describe; little-endian and without gaps between fields
/// (https://github.com/apptainer/sif/blob/main/docs/spec.md).
///
/// The file may be hostile: no count, offset or length is believed before it has been held against the file's size.
public struct SIFFile: Sendable, Equatable {
    /// One thing in the file.
    public struct Part: Sendable, Equatable {
        public var kind: Kind
        public var id: UInt32
        /// In bytes, from the file's beginning; wholly inside of it.
        public var offset: UInt64
        public var size: UInt64
        public var name: ByteString
        /// What kind of partition it is, where it is one.
        public var partition: Partition?
    }

    /// What a part is (`sif.DataType`).
    public enum Kind: UInt32, Sendable {
        case definition = 0x4001
        case environment = 0x4002
        case labels = 0x4003
        case partition = 0x4004
        case signature = 0x4005
        case document = 0x4006
        case other = 0x4007
        case encryption = 0x4008
        case materials = 0x4009
        case rootIndex = 0x400a
        case blob = 0x400b
    }

    public struct Partition: Sendable, Equatable {
        public enum FileSystem: UInt32, Sendable {
            case squashfs = 1
            case ext3 = 2
            case immutable = 3
            case raw = 4
            case encrypted = 5
        }

        public enum Use: UInt32, Sendable {
            case system = 1
            case primary = 2
            case data = 3
            case overlay = 4
        }

        /// Nil for one of a later version's.
        public var fileSystem: FileSystem?
        public var use: Use?
        public var architecture: SIFArchitecture?

        public init(fileSystem: FileSystem?, use: Use?, architecture: SIFArchitecture?) {
            (self.fileSystem, self.use) = (fileSystem, use)
            self.architecture = architecture
        }
    }

    /// Why a file cannot be used, in words that follow a colon, and what helps.
    public struct Fault: Error, Sendable, Equatable {
        public var cause: String
        public var remedy: String

        init(_ cause: String, _ remedy: String = "copy or make it again") {
            (self.cause, self.remedy) = (cause, remedy)
        }
    }

    public static let headLength = 128
    public static let descriptorLength = 585
    /// The tables that Apptainer writes have 48 places.
    static let mostDescriptors = 4096

    public var parts: [Part] = []
    /// The machine that the file as a whole is for; nil where it does not say.
    public var architecture: SIFArchitecture?

    /// Whether the first bytes of a file are a SIF's.
    public static func isBegun(by bytes: [UInt8]) -> Bool {
        bytes.count >= 42 && bytes[32..<42].elementsEqual("SIF_MAGIC\0".utf8)
    }

    /// Reads a file of `size` bytes. `read` gives `count` of them from an offset, or nil.
    public init(
        size: UInt64, read: (_ offset: UInt64, _ count: Int) -> [UInt8]?
    ) throws(Fault) {
        guard size >= UInt64(SIFFile.headLength), let head = read(0, SIFFile.headLength),
            head.count == SIFFile.headLength, SIFFile.isBegun(by: head)
        else { throw Fault("it has no header of a SIF") }
        let version = head.text(at: 42, 3)
        guard version == "01" else {
            throw Fault(
                "it is a SIF of version \(version.text)", "only version 01 is known: build it again"
            )
        }
        // The launch line, the identity and the times are for others.
        architecture = SIFArchitecture(code: head.text(at: 45, 3))
        let count = head.littleEndian(at: 88, count: 8)
        let table = (
            start: head.littleEndian(at: 96, count: 8), length: head.littleEndian(at: 104, count: 8)
        )
        guard count > 0, count <= UInt64(SIFFile.mostDescriptors) else {
            throw Fault("it says that it has \(count) descriptors")
        }
        let length = count * UInt64(SIFFile.descriptorLength)
        guard table.length >= length, table.start >= UInt64(SIFFile.headLength),
            table.start <= size, length <= size - table.start
        else { throw Fault("its table of descriptors does not lie in the file") }
        guard let table = read(table.start, Int(length)), table.count == Int(length) else {
            throw Fault("its table of descriptors cannot be read")
        }
        for index in 0..<Int(count) {
            let start = index * SIFFile.descriptorLength
            let bytes = Array(table[start..<(start + SIFFile.descriptorLength)])
            if let part = try SIFFile.part(bytes, size) { parts.append(part) }
        }
    }

    /// Nil for a place that nothing is in, and for what a later version may have brought.
    private static func part(_ bytes: [UInt8], _ size: UInt64) throws(Fault) -> Part? {
        guard bytes.littleEndian(at: 4, count: 1) != 0 else { return nil }
        let id = UInt32(bytes.littleEndian(at: 5, count: 4))
        let (offset, length) = (
            bytes.littleEndian(at: 17, count: 8), bytes.littleEndian(at: 25, count: 8)
        )
        guard offset <= size, length <= size - offset else {
            throw Fault("its part \(id) goes beyond the end of the file: it may be cut short")
        }
        guard let kind = Kind(rawValue: UInt32(bytes.littleEndian(at: 0, count: 4))) else {
            return nil
        }
        var part = Part(
            kind: kind, id: id, offset: offset, size: length, name: bytes.text(at: 73, 128))
        if kind == .partition {
            part.partition = Partition(
                fileSystem: .init(rawValue: UInt32(bytes.littleEndian(at: 201, count: 4))),
                use: .init(rawValue: UInt32(bytes.littleEndian(at: 205, count: 4))),
                architecture: .init(code: bytes.text(at: 209, 3)))
        }
        return part
    }

    /// The partition that is the root, a squashfs. Nothing that belongs to the root is left out in silence.
    public func primary() throws(Fault) -> Part {
        if parts.contains(where: { $0.kind == .rootIndex }) {
            throw Fault(
                "it is an OCI-SIF, which holds the layers of a container image",
                "make one with a root in it: nsrun-rootfs import of the container image, and export"
            )
        }
        let primaries = parts.filter { $0.partition?.use == .primary }
        guard let part = primaries.first, let partition = part.partition else {
            throw Fault("it has no primary partition, and so no root", "it is not meant to be run")
        }
        if primaries.count > 1 { throw Fault("it has \(primaries.count) primary partitions") }
        if parts.contains(where: { $0.partition?.use == .overlay }) {
            throw Fault(
                "it has a writable overlay inside, which would be left out",
                "take that out of it where it was made, and keep changes in a directory beside it")
        }
        switch partition.fileSystem {
        case .squashfs: return part
        case .encrypted:
            throw Fault("its root is encrypted", "decrypt it where the key is")
        case .ext3, .immutable, .raw, nil:
            throw Fault("its root is no squashfs", "build it again from what it was made of")
        }
    }

    /// Signatures, which only say something to who verifies them.
    public var signatures: Int { parts.reduce(0) { $0 + ($1.kind == .signature ? 1 : 0) } }
}

/// The machine that a partition is for.
public struct SIFArchitecture: Sendable, Equatable {
    /// Two digits.
    public var code: ByteString
    /// As Debian and Go call it.
    public var name: String
    /// As uname(2) names the machines that run it.
    var machines: [ByteString]

    private static let all: [(ByteString, String, [ByteString])] = [
        ("01", "i386", ["i686", "x86_64"]), ("02", "amd64", ["x86_64"]),
        ("03", "arm", ["armv7l", "aarch64"]), ("04", "arm64", ["aarch64"]),
        ("05", "ppc64", ["ppc64"]), ("06", "ppc64le", ["ppc64le"]), ("07", "mips", ["mips"]),
        ("08", "mipsle", ["mips"]), ("09", "mips64", ["mips64"]), ("10", "mips64le", ["mips64"]),
        ("11", "s390x", ["s390x"]), ("12", "riscv64", ["riscv64"]),
    ]

    init?(code: ByteString) {
        for (known, name, machines) in SIFArchitecture.all where known == code {
            (self.code, self.name, self.machines) = (code, name, machines)
            return
        }
        return nil
    }

    /// That of this machine's own programs, as uname(2) names it.
    public init?(machine: ByteString) {
        for (code, name, machines) in SIFArchitecture.all where machines.first == machine {
            (self.code, self.name, self.machines) = (code, name, machines)
            return
        }
        return nil
    }

    func runs(on machine: ByteString) -> Bool { machines.contains(machine) }
}

extension [UInt8] {
    /// A field of fixed length, up to the first NUL byte.
    fileprivate func text(at offset: Int, _ size: Int) -> ByteString {
        ByteString(bytes: Array(self[offset..<(offset + size)].prefix { $0 != 0 }))
    }
}
