// SPDX-License-Identifier: Apache-2.0

import CHost
import Glibc

@testable import NamespaceKit

extension FuzzTarget {
    /// A program or a library of a root's (elf(5)).
    static let elf = FuzzTarget(name: "elf") { bytes in
        if let head = ELFHead(bytes: bytes) {
            demand(head.interpreter?.contains(0) != true, "an interpreter has a NUL byte")
            _ = (head.machineName, head.debianName, Architecture.of(head))
        }
        let file = MemoryFile(bytes)
        if let library = LibraryFile(path: file.path) {
            let name = library.name ?? "x"
            demand(!name.isEmpty && !name.contains(UInt8(ascii: "/")), "no name for a library")
        }
        _ = nsrun_program_defect(file.descriptor)
    }

    /// The first line of a script, and lines that hand programs to interpreters.
    static let shebang = FuzzTarget(name: "shebang", growsTo: 256 << 10) { bytes in
        let line = ShebangLine(bytes: bytes)
        demand(
            line?.interpreter.contains(UInt8(ascii: "\n")) != true, "an interpreter of two lines")
        if case .script(let interpreter) = ProgramHead(bytes: bytes).kind {
            demand(interpreter == line?.interpreter, "one script has two interpreters")
        }
        let text = ByteString(bytes: bytes)
        for line in text.split(on: UInt8(ascii: "\n")) {
            _ = LoaderLine(line)
            if let record = BinfmtRecord(line: line) { check(record) }
        }
        if let record = BinfmtRecord(name: "x", status: bytes) { check(record) }
    }

    private static func check(_ record: BinfmtRecord) {
        _ = record.matches(Array(repeating: 0x7f, count: 128))
        _ = record.line
    }
}

/// A file without a name.
final class MemoryFile {
    let descriptor: Int32
    var path: ByteString { ByteString("/proc/self/fd/\(descriptor)") }

    init(_ bytes: [UInt8]) {
        descriptor = bytes.withUnsafeBytes {
            nsrun_memory_file($0.bindMemory(to: CChar.self).baseAddress, $0.count)
        }
        guard descriptor >= 0, lseek(descriptor, 0, SEEK_SET) == 0 else { fail("memfd_create") }
    }

    deinit { close(descriptor) }
}
