// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc
import NamespaceKit

/// Whether a directory is somebody's mounted root, or has something mounted in it.
enum MountUse {
    /// One line of `/proc/PID/mountinfo`. proc_pid_mountinfo(5)
    struct Mount {
        /// `MAJOR:MINOR` of the file system.
        var device: ByteString
        /// Which directory of the file system is mounted.
        var root: ByteString
        /// Where it is mounted.
        var point: ByteString
    }

    /// Looks at the mount tables of all processes this one may look at.
    static func isMounted(_ path: String) -> Bool {
        let path = ByteString(path)
        let own = mounts(of: "self")
        if hasMounts(path) { return true }
        guard let holder = own.last(where: { isWithin(path, $0.point) && isLongest($0, own, path) })
        else { return false }
        let below = path.slice(from: holder.point == "/" ? 0 : holder.point.count)
        let place = (holder.root == "/" ? "" : holder.root) + below
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.contains { process in
            process.allSatisfy(\.isNumber)
                && mounts(of: process).contains {
                    $0.device == holder.device && isWithin($0.root, place)
                }
        }
    }

    /// Whether something is mounted on a path or below, as this process sees it.
    static func hasMounts(_ path: ByteString) -> Bool {
        mounts(of: "self").contains { isWithin($0.point, path) }
    }

    /// Whether an open directory is where something is mounted: the directory above it is in another mount.
    /// proc_pid_fdinfo(5)
    static func isMountPoint(_ directory: Descriptor) -> Bool {
        let opened = openat(directory.number, "..", nsrun_rootfs_o_path | O_DIRECTORY | O_CLOEXEC)
        guard let holder = try? Descriptor(opened, cannot: "open", "..") else { return false }
        return mount(of: directory) != mount(of: holder)
    }

    private static func mount(of directory: Descriptor) -> Substring? {
        let path = "/proc/self/fdinfo/\(directory.number)"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
    }

    /// By bytes: names that others have chosen need not be text, and to a String a line's end after a carriage return
    /// is no end.
    static func parse(_ table: [UInt8]) -> [Mount] {
        table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(
                separator: UInt8(ascii: " "), omittingEmptySubsequences: false
            ).map { Array($0) }
            guard fields.count > 4 else { return nil }
            return Mount(
                device: ByteString(fields[2]), root: unescape(fields[3]), point: unescape(fields[4])
            )
        }
    }

    private static func mounts(of process: String) -> [Mount] {
        let table = HostFile.read(ByteString("/proc/\(process)/mountinfo"), limit: 64 << 20)
        guard case .content(let bytes) = table else { return [] }
        return parse(bytes)
    }

    private static func isWithin(_ path: ByteString, _ directory: ByteString) -> Bool {
        directory == "/" || path == directory || path.bytes.starts(with: directory.bytes + [0x2f])
    }

    private static func isLongest(_ mount: Mount, _ all: [Mount], _ path: ByteString) -> Bool {
        !all.contains { isWithin(path, $0.point) && $0.point.count > mount.point.count }
    }

    /// The kernel writes space, tab, newline and backslash as three octal digits.
    private static func unescape(_ field: [UInt8]) -> ByteString {
        guard field.contains(UInt8(ascii: "\\")) else { return ByteString(field) }
        var bytes: [UInt8] = []
        var rest = field[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let value = ByteString(Array(rest.prefix(3))).number(base: 8), value < 256
            {
                bytes.append(UInt8(value))
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return ByteString(bytes)
    }
}
