// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc
import NamespaceKit

/// Runs a program in a tree that is being made, as its root: by nsrun, with a fresh `/proc`, a small `/dev` and the host's
/// network, and with nothing else of the host. `/tmp`, `/run` and the home are the tree's own.
struct TreeRun {
    let tree: RootDirectory
    var power = NamespaceTool.Power.fakedRoot
    /// By Debian's name, where it is another one than the host's.
    var architecture: String?
    /// Where changes go; nil for the tree itself.
    var layer: (upper: String, work: String)?
    /// `NAME=VALUE` each.
    var environment: [String] = []
    /// Nil for root.
    var account: RootAccount?
    var directory = "/"
    var network = Network.host
    /// A file of the host's, to be seen at ``scriptPlace``.
    var script: String?

    /// Where nothing of the tree is.
    static let scriptPlace = "/dev/nsrun-script"
    private static let aptSettings = "/dev/nsrun-apt.conf"
    /// The PATH of an image that says nothing of it.
    static let standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Runs it to its end; `line` sees what it prints.
    func run(
        _ command: [String], cannot operation: String, _ object: String, line: (String) -> Void
    ) throws {
        let places = MountPlaces(in: tree)
        var tool = NamespaceTool(power: power, architecture: architecture)
        tool.adjust = { [self] request in
            request.files.operations = operations(places)
            request.program.environment.start = .empty
            request.program.environment.changes = variables.map {
                .set(name: ByteString($0.name), value: ByteString($0.value))
            }
            request.program.workingDirectory = ByteString(directory)
            request.program.startsClean = true
            request.network = network
            guard let account, account.user != 0 else { return }
            request.identity.fakesRoot = false
            request.identity.user = account.user
            request.identity.group = account.group ?? 0
            request.identity.capabilities = []
        }
        let changed = try layer.map { try RootDirectory(opening: $0.upper) } ?? tree
        defer { places.clear(from: changed.descriptor) }
        try tool.run(command, cannot: operation, object, line: line)
    }

    private var fakesRoot: Bool { power == .fakedRoot && (account?.user ?? 0) == 0 }

    private var home: String {
        guard let account else { return "/root" }
        return account.home?.text ?? (account.user == 0 ? "/root" : "/")
    }

    private var variables: [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = [
            ("PATH", Self.standardPath), ("HOME", home),
        ]
        // apt looks whether its change of user took effect, which faked calls have not.
        if fakesRoot { variables.append(("APT_CONFIG", Self.aptSettings)) }
        for entry in environment {
            guard let sign = entry.firstIndex(of: "="), sign != entry.startIndex else { continue }
            variables.append(
                (String(entry[..<sign]), String(entry[entry.index(after: sign)...])))
        }
        return variables
    }

    private func operations(_ places: MountPlaces) -> [FileSystemOperation] {
        let root = ByteString(tree.path)
        var operations: [FileSystemOperation] = []
        if let layer {
            operations.append(
                FileSystemOperation(
                    .overlay(
                        target: "/", lower: [root],
                        upper: .directories(
                            upper: ByteString(layer.upper), work: ByteString(layer.work)))))
        } else {
            operations.append(
                FileSystemOperation(.bind(source: .path(root), target: "/", options: [])))
        }
        operations += [
            FileSystemOperation(.proc(target: "/proc")),
            FileSystemOperation(.dev(target: "/dev")),
            FileSystemOperation(
                .bind(source: .path("/sys"), target: "/sys", options: [.readOnly, .optional])),
        ]
        for file in places.settings {
            let path = ByteString("/" + file)
            operations.append(
                FileSystemOperation(
                    .bind(source: .path(path), target: path, options: [.readOnly, .optional])))
        }
        if let script {
            operations.append(
                FileSystemOperation(
                    .bind(
                        source: .path(ByteString(script)), target: ByteString(Self.scriptPlace),
                        options: .readOnly)))
        }
        if fakesRoot {
            operations.append(
                FileSystemOperation(
                    .file(
                        content: .bytes(Array("APT::Sandbox::User \"root\";\n".utf8)),
                        target: ByteString(Self.aptSettings), mode: 0o644)))
        }
        return operations
    }
}

/// Places in a tree that something of the run's own is mounted on: those that were not there go again.
struct MountPlaces {
    private static let directories = ["proc", "dev", "sys"]
    private static let files = ["etc/resolv.conf", "etc/hosts"]

    private let missing: Set<String>
    /// The files that the host's can be mounted on. A link that leads nowhere stays what it is.
    let settings: [String]

    init(in tree: RootDirectory) {
        func leadsToSomething(_ path: String) -> Bool {
            guard let entry = try? EntryPath(archived: ByteString(path)) else { return false }
            return
                (try? Descriptor(
                    tree.open(entry, nsrun_rootfs_o_path), cannot: "open", path)) != nil
        }
        func isThere(_ path: String) -> Bool {
            var status = stat()
            return fstatat(tree.descriptor.number, path, &status, AT_SYMLINK_NOFOLLOW) == 0
        }
        missing = Set((Self.directories + Self.files + ["etc"]).filter { !isThere($0) })
        settings = Self.files.filter { !isThere($0) || leadsToSomething($0) }
    }

    /// Takes away what is left of them in the tree, or in the layer that was over it, if it is empty.
    func clear(from tree: Descriptor) {
        for directory in Self.directories where missing.contains(directory) {
            unlinkat(tree.number, directory, AT_REMOVEDIR)
        }
        if let etc = tree.openDirectory(ByteString("etc")) {
            for file in Self.files where missing.contains(file) {
                let name = String(file.dropFirst(4))
                var status = stat()
                if fstatat(etc.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                    status.isRegularFile, status.st_size == 0
                {
                    unlinkat(etc.number, name, 0)
                }
            }
        }
        if missing.contains("etc") { unlinkat(tree.number, "etc", AT_REMOVEDIR) }
    }
}
