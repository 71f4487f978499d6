// SPDX-License-Identifier: Apache-2.0

import FuzzParts
import Glibc

/// A parser of bytes that somebody hostile may have written, and what holds whatever they are.
struct FuzzTarget: Sendable {
    let name: String
    /// It makes files: the process is walled into a directory of its own, see ``Scratch``.
    var makesFiles = false
    /// The input is a list of things, of which there may be many: so many bytes of them are tried, see ``Growth``.
    var growsTo = 0
    let run: @Sendable ([UInt8]) -> Void

    static let all: [FuzzTarget] = [
        .accounts, .control, .deb, .devices, .elf, .image, .imageSettings, .linkerCache,
        .mountinfo, .options, .pack, .report, .shebang, .sif, .squashfs, .tar,
    ]
}

/// What this process fuzzes: libFuzzer has the command line for itself.
let chosen: FuzzTarget = {
    let name = getenv("NSRUN_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if name == "list" {
        print(FuzzTarget.all.map(\.name).joined(separator: "\n"))
        exit(0)
    }
    if let target = (FuzzTarget.all + FuzzTarget.planted).first(where: { $0.name == name }) {
        return target
    }
    fail("NSRUN_FUZZ_TARGET is none of the targets: \"\(name)\"")
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: OpaquePointer?, _ arguments: OpaquePointer?) -> CInt {
    if chosen.makesFiles { Scratch.begin() }
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    chosen.run(bytes)
    if chosen.growsTo > 0 { Growth.run(bytes, upTo: chosen.growsTo, chosen.run) }
    return 0
}

/// Something that must hold whatever the input is.
func demand(_ condition: Bool, _ what: @autoclosure () -> String) {
    if !condition { fail(what()) }
}

func fail(_ what: String) -> Never {
    let line = Array("fuzz: \(what)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    abort()
}
