// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// What decides whether a directory may be removed, or another tree put in its place. Directories are compared by
/// what they are, and not by their paths: a link, a `..` or a bind mount on the way makes no difference.
struct RemovalGuard {
    private let directory: Descriptor
    private let destination: Destination
    private let operation: String

    /// Refuses what is never removed: `/`, the home directory, the current one, what holds one of these, and what
    /// is mounted.
    init(_ directory: Descriptor, _ destination: Destination, toBe operation: String) throws {
        self.directory = directory
        self.destination = destination
        self.operation = operation
        let identity = FileIdentity(
            try directory.status(cannot: "examine", destination.label))
        if Ancestry(of: "/").holds(identity) { throw refusal("it is the root of this machine") }
        for home in Self.homes {
            let ancestry = Ancestry(of: home)
            if ancestry.own == identity { throw refusal("it is your home directory") }
            if ancestry.holds(identity) { throw refusal("your home directory lies in it") }
        }
        let here = Ancestry(of: ".")
        if here.own == identity { throw refusal("it is the current directory") }
        if here.holds(identity) { throw refusal("the current directory lies in it") }
        if MountUse.isMountPoint(directory) {
            throw refusal("something is mounted on it", remedy: "unmount it first")
        }
    }

    /// What a directory is taken for.
    enum Nature {
        /// nsrun-rootfs made it: its record says so.
        case made
        /// It looks like a root file system.
        case rootfs
        case other
    }

    var nature: Nature {
        for record in RecordFile.allCases {
            if case .content = destination.record(record, in: directory) { return .made }
        }
        let root = RootDirectory(path: destination.path, descriptor: directory)
        func has(_ name: EntryPath) -> Bool {
            (try? root.openDirectory(name, cannot: "open")) != nil
        }
        return has(EntryPath("usr")) && has(EntryPath("etc")) ? .rootfs : .other
    }

    /// Refuses everything that nsrun-rootfs has not made itself.
    func requireRecord() throws {
        guard case .made = nature else { throw refusal("nsrun-rootfs did not make it") }
    }

    /// Refuses what is no root file system; one of somebody else's making takes consent.
    func require(_ consent: RemovalConsent) throws {
        switch nature {
        case .made: return
        case .other:
            throw refusal(
                "it is no root file system: nsrun-rootfs did not make it, and it has no usr and etc",
                remedy: "rm -r removes directories of every kind")
        case .rootfs:
            switch consent {
            case .forced: return
            case .onlyRecorded:
                throw refusal(
                    "nsrun-rootfs did not make it",
                    remedy: "--force removes it all the same, with everything in it")
            case .asking(let ask):
                guard try ask(destination.path) else {
                    throw refusal("nsrun-rootfs did not make it, and you did not agree")
                }
            }
        }
    }

    private func refusal(_ cause: String, remedy: String? = nil) -> RootFilesystemError {
        RootFilesystemError(
            cannot: operation, destination.label, because: cause, remedy: remedy)
    }

    /// Where the caller is at home, by the environment and by the system's account.
    private static var homes: [String] {
        var homes: [String] = []
        if let home = getenv("HOME") { homes.append(String(cString: home)) }
        if let account = getpwuid(geteuid()), let home = account.pointee.pw_dir {
            homes.append(String(cString: home))
        }
        return homes.filter { $0.hasPrefix("/") }
    }
}

/// Whether a root that nsrun-rootfs did not make may be removed.
public enum RemovalConsent {
    case onlyRecorded
    case forced
    /// Somebody is asked, with the directory's path.
    case asking((String) throws -> Bool)
}

/// A directory and those that hold it, up to `/`: by "..", and by the names that lead to it.
private struct Ancestry {
    private(set) var own: FileIdentity?
    private var holders: Set<FileIdentity> = []

    init(of path: String) {
        let flags = nsrun_rootfs_o_path | O_DIRECTORY | O_CLOEXEC
        var current = Self.identity(of: open(path, flags))
        own = current?.identity
        while let here = current, holders.insert(here.identity).inserted {
            current = Self.identity(of: openat(here.directory.number, "..", flags))
        }
        // A link's directory holds what it leads to in another way.
        var prefix = path
        while prefix.hasPrefix("/") && prefix != "/" {
            prefix = PathParts.split(prefix).holder
            if let holder = Self.identity(of: open(prefix, flags)) {
                holders.insert(holder.identity)
            }
        }
    }

    func holds(_ identity: FileIdentity) -> Bool { holders.contains(identity) }

    private static func identity(
        of opened: Int32
    ) -> (directory: Descriptor, identity: FileIdentity)? {
        guard let directory = try? Descriptor(opened, cannot: "open", "a directory"),
            let status = try? directory.status(cannot: "examine", "a directory")
        else { return nil }
        return (directory, FileIdentity(status))
    }
}
