// SPDX-License-Identifier: Apache-2.0

import CHost

/// What the engines without namespaces need besides a plan.
public enum EngineTools {
    /// The first argument with which nsrun runs inside of another engine.
    static let helperWord: ByteString = "--engine-helper"

    /// Where a pack has its libfakechroot.so and its proot. Set once, before the first launch.
    nonisolated(unsafe) public static var folder: ByteString?

    /// This is a pack that has no proot, and where it has one.
    public static var packLacksProot: Bool { folder != nil && !packHasProot }
    static var packHasProot: Bool {
        folder.map { HostFile.exists($0.appending(path: "proot/proot")) } ?? false
    }

    /// What nsrun does in the place of programs that libfakechroot would start, if it was started so: the exit
    /// status.
    public static func standIn() -> Int32? {
        guard let vector = nsrun_arguments() else { return nil }
        var count: Int32 = 0
        while vector[Int(count)] != nil { count += 1 }
        let status = nsrun_stand_in(count, vector)
        return status < 0 ? nil : status
    }

    /// What nsrun does inside of proot(1), if that is what it was started for: the exit status.
    public static func runAsHelper(_ arguments: [ByteString]) -> Int32? {
        guard arguments.count > 4, arguments[1] == helperWord else { return nil }
        if arguments[2] == "see" {
            return withCString(arguments[3]) { inside in
                withCString(arguments[4]) { nsrun_sees_root(inside, $0) ? 0 : 1 }
            }
        }
        guard let status = arguments[3].number(), arguments.count > 5 else { return 125 }
        var vector = CStringArray()
        for argument in arguments[5...] { vector.append(argument) }
        let list = vector.terminated()
        return withCString(arguments[4]) { nsrun_run_inside(Int32(status), $0, list) }
    }
}
