// SPDX-License-Identifier: Apache-2.0

import CNamespace

@testable import NamespaceKit
@testable import RootFilesystemKit

extension FuzzTarget {
    /// proc_pid_mountinfo(5), in which others choose the names of mount points. Three read it.
    static let mountinfo = FuzzTarget(name: "mountinfo", growsTo: 256 << 10) { bytes in
        // A table has no NUL, for no path has.
        let table = bytes.filter { $0 != 0 }
        var points = 0
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let line = Array(line)
            if line.holds("\\000") { return }
            let seen = MountUse.parse(line)
            points += seen.count
            guard let point = point(of: line) else { continue }
            demand(seen.map(\.point) == [point], "nsrun-rootfs sees another mount")
            // It leaves out what lacks the fields behind.
            let found = MountPoint.parse(line).first
            demand(found == nil || found?.path == point, "the launcher sees another mount")
        }
        let all = MountUse.parse(table)
        demand(all.count == points, "one line hides another")
    }

    /// As the executor reads it.
    private static func point(of line: [UInt8]) -> ByteString? {
        let memory = UnsafeMutablePointer<CChar>.allocate(capacity: line.count + 1)
        defer { memory.deallocate() }
        for (index, byte) in line.enumerated() { memory[index] = CChar(bitPattern: byte) }
        memory[line.count] = 0
        var found = nsrun_mount_line()
        return nsrun_read_mount_line(memory, &found) ? ByteString(cString: found.point) : nil
    }
}
