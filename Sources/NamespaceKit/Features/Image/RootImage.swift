// SPDX-License-Identifier: Apache-2.0

import CHost

/// A root that is one file: a squashfs, or one that holds a squashfs.
public struct RootImage: Sendable, Equatable {
    /// Who reads it.
    public enum Mounting: Sendable, Equatable {
        /// The kernel, which allows that to real root only.
        case kernel
        /// squashfuse_ll(1), at this path, through FUSE.
        case server(ByteString)
    }

    public enum Finding: Sendable, Equatable {
        /// The root is no such file.
        case none
        case image(RootImage)
        /// It cannot be used, and why.
        case refused(LaunchError)
    }

    /// Somebody who has files.
    public struct Owner: Sendable, Equatable {
        public var user: UInt32
        public var group: UInt32
    }

    public var path: ByteString
    public var mounting: Mounting
    /// Where in the file the squashfs begins, in bytes.
    public var offset: UInt64 = 0
    /// Whose the files are, where they are not root's.
    public var owner: Owner?
    /// How many signatures the file has, of which none is verified.
    public var signatures = 0

    public init(path: ByteString, mounting: Mounting) {
        self.path = path
        self.mounting = mounting
    }
}

/// Looks at a root that may be a file, and for somebody to read it.
struct RootImageFinder {
    let path: ByteString
    let request: LaunchRequest
    let facts: HostFacts

    func find() -> RootImage.Finding {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        guard mode >= 0, mode & 0o170000 == 0o100000 else { return .none }
        do throws(LaunchError) {
            guard let file = FileReader(path) else { throw unreadable }
            let place = try locate(in: file)
            let head = try checkSquashfs(of: file, at: place)
            var image = RootImage(path: path, mounting: try findMounting())
            image.offset = place.offset
            image.signatures = place.signatures
            image.owner = owner(of: head, in: file, at: place.offset)
            return .image(image)
        } catch {
            return .refused(error)
        }
    }

    /// Where a squashfs is to be in the file.
    private struct Place {
        var offset: UInt64 = 0
        /// In bytes, to the end of what it may take.
        var size: UInt64
        var signatures = 0
    }

    /// How images of Singularity 2 begin: then comes their squashfs.
    private static let launchLine: ByteString = "#!/usr/bin/env run-singularity\n"

    private var unreadable: LaunchError {
        refusal("it cannot be read", "it must be readable by you", EACCES)
    }

    private func locate(in file: FileReader) throws(LaunchError) -> Place {
        guard let head = file.read(0, SIFFile.headLength) else { throw unreadable }
        if SIFFile.isBegun(by: head) { return try partition(of: file) }
        let line = Self.launchLine.bytes
        let offset = head.starts(with: line) ? UInt64(line.count) : 0
        return Place(offset: offset, size: file.size - min(offset, file.size))
    }

    private func partition(of file: FileReader) throws(LaunchError) -> Place {
        let sif: SIFFile
        let part: SIFFile.Part
        do throws(SIFFile.Fault) {
            sif = try SIFFile(size: file.size, read: file.read)
            part = try sif.primary()
        } catch {
            throw refusal(error.cause, error.remedy, EINVAL)
        }
        if request.program.emulators.isEmpty {
            try check(sif.architecture)
            try check(part.partition?.architecture)
        }
        return Place(offset: part.offset, size: part.size, signatures: sif.signatures)
    }

    private func check(_ architecture: SIFArchitecture?) throws(LaunchError) {
        guard let architecture else {
            throw refusal("it does not say for which machine it is", "build it again", EINVAL)
        }
        guard architecture.runs(on: facts.machine) else {
            throw refusal(
                "it is built for \(architecture.name), and this machine is \(facts.machine.text)",
                "use an image for \(facts.machine.text), or register an emulator: "
                    + "\(OptionNames.current.architecture) \(architecture.name)", ENOEXEC)
        }
    }

    private func checkSquashfs(
        of file: FileReader, at place: Place
    ) throws(LaunchError) -> SquashfsHead {
        let bytes = file.read(place.offset, SquashfsHead.length) ?? []
        guard let head = SquashfsHead(bytes: bytes) else {
            if place.offset > 0 {
                throw refusal("its root is no squashfs", "build it again", EINVAL)
            }
            throw refusal(
                "it is neither a directory nor a squashfs",
                "nsrun-rootfs import unpacks archives; nsrun-rootfs export makes a squashfs",
                ENOTDIR)
        }
        guard head.version == (4, 0) else {
            throw refusal(
                "it is a squashfs of version \(head.version.major).\(head.version.minor)",
                "only version 4.0, as mksquashfs has made it since 2009, can be mounted", EINVAL)
        }
        if place.size < head.bytesUsed {
            throw refusal(
                "the squashfs is cut short: \(place.size) bytes of \(head.bytesUsed)",
                "copy or make it again", EINVAL)
        }
        return head
    }

    /// A list of a few ids is not compressed, for that would make it longer. The first is of the user whose file was written
    /// first; root's are in every list but those of images that are all somebody's, whose list is short.
    private func owner(
        of head: SquashfsHead, in file: FileReader, at base: UInt64
    ) -> RootImage.Owner? {
        let most = 2048
        guard head.ids.count > 0, head.ids.count <= most else { return nil }
        func number(at offset: UInt64, _ size: Int) -> UInt64? {
            guard offset < head.bytesUsed, let bytes = file.read(base + offset, size),
                bytes.count == size
            else { return nil }
            return bytes.littleEndian(at: 0, count: size)
        }
        let isPlain: UInt64 = 0x8000
        guard let block = number(at: head.ids.start, 8), let length = number(at: block, 2),
            length == isPlain | UInt64(4 * head.ids.count)
        else { return nil }
        var ids: [UInt32] = []
        for index in 0..<head.ids.count {
            guard let id = number(at: block + 2 + 4 * UInt64(index), 4) else { return nil }
            ids.append(UInt32(truncatingIfNeeded: id))
        }
        guard !ids.contains(0) else { return nil }
        // A user's id and a group's may be the same number, but of two the user's comes first.
        if ids.count <= 2 { return RootImage.Owner(user: ids[0], group: ids[ids.count - 1]) }
        let user = ids.contains(facts.userID) ? facts.userID : ids[0]
        let other = ids.first { $0 != user } ?? user
        return RootImage.Owner(
            user: user, group: ids.contains(facts.groupID) ? facts.groupID : other)
    }

    private func findMounting() throws(LaunchError) -> RootImage.Mounting {
        if isKernelWilling { return .kernel }
        let servers = facts.places(ofTool: "squashfuse_ll")
        guard let program = servers.first(where: HostFile.isExecutable) else {
            throw refusal(
                "squashfuse_ll, which serves it, is not installed",
                "install the package squashfuse, or \(unpack)", ENOENT)
        }
        if let obstacle = HostFile.obstacle(to: "/dev/fuse", of: "fuse") {
            throw refusal(obstacle.cause, "\(obstacle.remedy), or \(unpack)", obstacle.code)
        }
        return .server(program)
    }

    private let unpack = "unpack it: nsrun-rootfs import"

    private func refusal(_ cause: String, _ remedy: String, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot use the rootfs \(path.text): \(cause)", remedy: remedy, code: code)
    }

    /// Real root, not that of a user namespace, and with loop devices within reach.
    private var isKernelWilling: Bool {
        guard facts.userID == 0, facts.hasMountAPI, !request.compatibility.contains(.kernelImages),
            let administrator = Capabilities.number(named: "sys_admin"),
            facts.capabilities & Capabilities.bit(administrator) != 0,
            HostFile.isWritable("/dev/loop-control")
        else { return false }
        let map = ByteString(bytes: HostFacts.readFile("/proc/self/uid_map", limit: 256) ?? [])
        let known = HostFacts.readFile("/proc/filesystems", limit: 65536) ?? []
        return map.split(on: UInt8(ascii: " ")).last == "4294967295\n"
            && ByteString(bytes: known).split(on: UInt8(ascii: "\n")).contains("\tsquashfs")
    }
}
