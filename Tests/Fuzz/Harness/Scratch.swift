// SPDX-License-Identifier: Apache-2.0

import CHost
import FuzzParts
import Glibc
import NamespaceKit

/// A directory in memory for what a target unpacks, and a neighbour of it that must stay as it is.
enum Scratch {
    nonisolated(unsafe) private(set) static var directory = ""

    /// Where an input unfolds into; not there yet.
    static var root: String { "\(directory)/work/root" }
    private static var work: String { "\(directory)/work" }
    private static var neighbour: String { "\(directory)/neighbour" }

    static func begin() {
        guard let output = getenv("NSRUN_FUZZ_OUTPUT").map({ String(cString: $0) }) else {
            fail("NSRUN_FUZZ_OUTPUT must name a directory")
        }
        var call: UnsafePointer<CChar>?
        let error = fuzz_confine(output, &call)
        guard error == 0 else {
            fail("\(call.map { String(cString: $0) } ?? ""): \(String(cString: strerror(-error)))")
        }
        directory = output + "/scratch"
        // A path in the archive that gets out most likely goes here.
        guard mkdir(neighbour, 0o755) == 0, write(Array("untouched".utf8), to: "\(neighbour)/file")
        else { fail("cannot prepare \(directory)") }
    }

    /// Calls `body` with an empty directory around ``root``; afterwards all that is outside of it is as before,
    /// unless the input `isTrusted` to do what it likes.
    static func use(isTrusted: Bool = false, _ body: () -> Void) {
        guard mkdir(work, 0o755) == 0 else { fail("cannot make \(work)") }
        body()
        demand(nsrun_remove_tree(work) == 0, "what was unpacked cannot be removed")
        if isTrusted {
            for name in names(in: directory) { _ = nsrun_remove_tree("\(directory)/\(name)") }
            return
        }
        demand(names(in: directory) == ["neighbour"], "something was made beside the root")
        demand(names(in: neighbour) == ["file"], "something was made in another directory")
        demand(
            HostFile.read(ByteString("\(neighbour)/file"), limit: 64)
                == .content(Array("untouched".utf8)), "another file was written to")
    }

    /// A file of the input's beside the root. Its path.
    static func file(_ name: String, _ bytes: [UInt8]) -> String {
        let path = "\(work)/\(name)"
        guard write(bytes, to: path) else { fail("cannot write \(path)") }
        return path
    }

    static func makeDirectory(_ name: String) -> String {
        let path = "\(work)/\(name)"
        guard mkdir(path, 0o755) == 0 else { fail("cannot make \(path)") }
        return path
    }

    private static func names(in directory: String) -> [String] {
        HostFile.names(in: ByteString(directory)).map(\.text)
    }

    private static func write(_ bytes: [UInt8], to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        defer { close(file) }
        return file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count
    }
}
