// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore
import Glibc

/// A descriptor that is closed when nobody holds it any more.
final class Descriptor: Sendable {
    let number: Int32

    /// Takes the answer of a function of CRunner, a descriptor or a negative errno.
    init(_ answer: Int32, _ what: @autoclosure () -> String) throws(RPCError) {
        guard answer >= 0 else { throw .cannotOpen(what(), -answer) }
        number = answer
    }

    deinit { close(number) }

    /// Opens what a field of a request names below this directory. With `asRoot` links are followed as
    /// they are in a root; without, they must not lead out of it.
    func open(
        _ path: String, of field: String, as kind: runner_kind, asRoot: Bool = false
    ) throws(RPCError) -> Descriptor {
        // The kernel would allow for a `..` that stays below, which no worker sends.
        // Bytes, as the kernel sees it: a Character may be a slash and an accent.
        let slash = UInt8(ascii: "/")
        let isOutside =
            path.utf8.first == slash
            || path.utf8.split(separator: slash).contains { $0.elementsEqual("..".utf8) }
        if isOutside || path.utf8.contains(0) { throw .cannotOpen("\(field) \"\(path)\"", EXDEV) }
        return try Descriptor(
            runner_open(number, path.isEmpty ? "." : path, kind, asRoot), "\(field) \"\(path)\"")
    }
}

extension RPCError {
    /// A path that cannot be used: the fault of whoever named it, unless the host is in trouble.
    static func cannotOpen(_ what: String, _ code: Int32) -> RPCError {
        let troubles = [EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, ENOSYS, EROFS]
        let cause = code == EXDEV ? "leads out of its directory" : String(cString: strerror(code))
        return RPCError(
            code: troubles.contains(code) ? .internalError : .invalidArgument,
            message: "\(what): \(cause)")
    }
}
