// SPDX-License-Identifier: Apache-2.0

import CHost

/// What the dynamic linker reads of a shared library (elf(5)): a few places of a file of any size, read with
/// suspicion.
struct LibraryFile: Equatable {
    var machineName: String
    /// As ldconfig(8) writes it into its cache.
    var flags: Int32
    /// What programs ask for it by; nil where it does not say.
    var name: ByteString?
    /// The newest version of the C library that it was built for; nil where it needs none.
    var glibc: GlibcVersion?

    /// Nil where there is no shared library of 64 or 32 bits, or none for a machine that is known.
    init?(path: ByteString) {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        guard mode >= 0, mode & 0o170000 == 0o100000 else { return nil }
        let descriptor = withCString(path) { nsrun_open_for_reading($0) }
        guard descriptor >= 0 else { return nil }
        defer { closeDescriptor(descriptor) }
        let file = PartialFile(descriptor: descriptor)
        guard let head = ELFHead(bytes: file.part(at: 0, upTo: 4096)),
            let flags = LibraryFile.flags(of: head), let section = DynamicSection(file, head)
        else { return nil }
        machineName = head.machineName
        self.flags = flags
        name = section.name
        glibc = section.glibc
    }

    /// `FLAG_ELF_LIBC6` and the kind of machine, of glibc's cache.
    private static func flags(of head: ELFHead) -> Int32? {
        switch head.machineName {
        case "x86_64": 0x0303
        case "i686": 0x0003
        case "aarch64": 0x0a03
        case "armv7l": 0x0903
        case "ppc64le": 0x0503
        case "s390x": 0x0403
        case "riscv64": 0x1003
        default: nil
        }
    }
}

/// A file that is read in parts.
private struct PartialFile {
    let descriptor: Int32

    /// Fewer bytes where the file ends, none where it cannot be read.
    func part(at offset: UInt64, upTo length: Int) -> [UInt8] {
        guard offset < 1 << 62 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            let read = buffer.withMemoryRebound(to: CChar.self) {
                nsrun_read_part(descriptor, offset, $0.baseAddress!, length)
            }
            count = max(0, read)
        }
    }
}

/// The dynamic section of a library.
private struct DynamicSection {
    private struct Segment {
        var offset: UInt64
        var address: UInt64
        var size: UInt64
    }

    private let file: PartialFile
    private let is64Bit: Bool
    private let isLittleEndian: Bool
    private var segments: [Segment] = []
    private var strings: UInt64 = 0
    private var needs: UInt64?
    private var nameOffset: UInt64?

    private static let longestText = 256
    private static let mostNeeds = 1024

    init?(_ file: PartialFile, _ head: ELFHead) {
        self.file = file
        is64Bit = head.is64Bit
        isLittleEndian = head.isLittleEndian
        let word = is64Bit ? 8 : 4
        let start = file.part(at: 0, upTo: 64)
        func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64? {
            bytes.number(at: offset, size: size, isLittleEndian: head.isLittleEndian)
        }
        guard number(start, 16, 2) == 3,  // ET_DYN
            let table = number(start, is64Bit ? 32 : 28, word),
            let size = number(start, is64Bit ? 54 : 42, 2), size >= 32,
            let count = number(start, is64Bit ? 56 : 44, 2), count <= 64
        else { return nil }
        let headers = file.part(at: table, upTo: Int(size * count))
        var dynamic: Segment?
        for index in 0..<Int(count) {
            let at = index * Int(size)
            guard let type = number(headers, at, 4),
                let offset = number(headers, at + (is64Bit ? 8 : 4), word),
                let address = number(headers, at + (is64Bit ? 16 : 8), word),
                let length = number(headers, at + (is64Bit ? 32 : 16), word)
            else { return nil }
            let segment = Segment(offset: offset, address: address, size: length)
            if type == 1 { segments.append(segment) }  // PT_LOAD
            if type == 2 { dynamic = segment }  // PT_DYNAMIC
        }
        guard let dynamic else { return nil }
        let entries = file.part(at: dynamic.offset, upTo: Int(min(dynamic.size, 65536)))
        var at = 0
        while let tag = number(entries, at, word), let value = number(entries, at + word, word),
            tag != 0
        {
            switch tag {
            case 5: strings = value  // DT_STRTAB
            case 14: nameOffset = value  // DT_SONAME
            case 0x6fff_fffe: needs = value  // DT_VERNEED
            default: break
            }
            at += 2 * word
        }
    }

    /// Where in the file an address of the program's lies.
    private func offset(of address: UInt64) -> UInt64? {
        for segment in segments
        where address >= segment.address && address - segment.address < segment.size {
            return segment.offset &+ (address - segment.address)
        }
        return nil
    }

    private func text(_ index: UInt64) -> ByteString? {
        let (address, overflow) = strings.addingReportingOverflow(index)
        guard !overflow, let offset = offset(of: address) else { return nil }
        let bytes = file.part(at: offset, upTo: DynamicSection.longestText)
        guard let end = bytes.firstIndex(of: 0) else { return nil }
        return ByteString(bytes: Array(bytes[..<end]))
    }

    var name: ByteString? {
        guard let nameOffset, let name = text(nameOffset), !name.isEmpty,
            !name.contains(UInt8(ascii: "/")), name != ".", name != ".."
        else { return nil }
        return name
    }

    /// The newest version among those that it needs of the C library.
    var glibc: GlibcVersion? {
        guard let needs, var need = offset(of: needs) else { return nil }
        var newest: GlibcVersion?
        var count = 0
        func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
            bytes.number(at: offset, size: size, isLittleEndian: isLittleEndian) ?? 0
        }
        while count < DynamicSection.mostNeeds {
            let bytes = file.part(at: need, upTo: 16)
            guard bytes.count == 16 else { break }
            var version = need &+ number(bytes, 8, 4)
            for _ in 0..<number(bytes, 2, 2) {
                count += 1
                let bytes = file.part(at: version, upTo: 16)
                guard count < DynamicSection.mostNeeds, bytes.count == 16 else { break }
                if let name = text(number(bytes, 8, 4)), let found = GlibcVersion(symbol: name),
                    newest.map({ $0 < found }) ?? true
                {
                    newest = found
                }
                if number(bytes, 12, 4) == 0 { break }
                version &+= number(bytes, 12, 4)
            }
            count += 1
            if number(bytes, 12, 4) == 0 { break }
            need &+= number(bytes, 12, 4)
        }
        return newest
    }
}
