// SPDX-License-Identifier: Apache-2.0

import CHost
import Foundation
import Testing

@testable import NamespaceKit

/// A run's private directory on the host: made whole, removed whole, swept when nobody is left who uses it.
@Suite struct ScratchRootTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func mode(_ path: ByteString) -> Int64 {
        withCString(path) { nsrun_file_mode($0, false) } & 0o7777
    }

    private func remove(_ path: ByteString) -> Int32 {
        withCString(path) { nsrun_remove_tree($0) }
    }

    private var own: ByteString { folder["nsrun-\(getuid())-1-x"] }

    // MARK: Making

    @Test func itIsMadeAsPlanned() throws {
        var tree = ScratchRoot(path: own)
        tree.add("/etc/passwd", .file([1, 2], mode: 0o640))
        tree.add("/tmp", .directory(mode: 0o1777))
        tree.add("/tmp", .directory(mode: 0o700))
        tree.add("/usr", .link("/none"))
        #expect(tree.entries.map(\.path) == ["/etc", "/etc/passwd", "/tmp", "/usr"])
        let before = umask(0o077)
        defer { umask(before) }
        let lock = try tree.make()
        #expect(lock >= 0)
        defer { closeDescriptor(lock) }
        #expect(mode(own) == 0o700)
        #expect(mode(own + "/root") == 0o755)
        #expect(mode(own + "/root/tmp") == 0o1777)
        #expect(mode(own + "/root/etc/passwd") == 0o640)
        #expect(HostFacts.readFile(own + "/root/etc/passwd", limit: 9) == [1, 2])
        #expect(HostFile.linkText(own + "/root/usr") == "/none")
        tree.remove()
        #expect(!HostFile.exists(own))
        tree.remove()
    }

    @Test func nothingIsLeftOfOneThatCannotBeMade() throws {
        var tree = ScratchRoot(path: own)
        tree.add("/a", .link(ByteString(String(repeating: "x", count: 5000))))
        #expect(throws: LaunchError.self) { _ = try tree.make() }
        #expect(!HostFile.exists(own))
        #expect(throws: LaunchError.self) {
            _ = try ScratchRoot(path: folder["none/nsrun-0-0-x"]).make()
        }
    }

    /// What somebody else has put there is no place for us.
    @Test func aNameThatIsTakenIsRefused() throws {
        try folder.makeDirectory("taken")
        try folder.link("link", to: folder.path)
        for name in ["taken", "link"] {
            #expect(throws: LaunchError.self) { _ = try ScratchRoot(path: folder[name]).make() }
            #expect(!HostFile.exists(folder[name] + "/root"))
        }
    }

    // MARK: Removing

    @Test func anyDepthAndAnyModeGoes() throws {
        let script = """
            for my $name ("t", map { "d$_" } 1 .. 3000) {
                mkdir $name and chdir $name or die;
                open my $file, ">", "f" or die;
            }
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/perl")
        process.arguments = ["-e", script]
        process.currentDirectoryURL = URL(filePath: folder.path)
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        for (name, mode) in [("a", mode_t(0)), ("b", 0o100), ("c/d", 0o200), ("c", 0)] {
            try folder.makeDirectory("t/\(name)")
            try folder.write([], to: "t/\(name)/file", mode: 0)
            chmod("\(folder.path)/t/\(name)", mode)
        }
        mkfifo("\(folder.path)/t/fifo", 0)
        #expect(remove(folder["t"]) == 0)
        #expect(!HostFile.exists(folder["t"]))
    }

    @Test func linksAreNotFollowed() throws {
        try folder.write([1], to: "kept/file")
        try folder.link("t/sub/dir", to: "\(folder.path)/kept")
        try folder.link("t/file", to: "\(folder.path)/kept/file")
        try folder.link("link", to: "\(folder.path)/kept")
        #expect(remove(folder["link"]) < 0)
        #expect(remove(folder["t"]) == 0)
        #expect(HostFile.exists(folder["kept/file"]))
        #expect(remove(folder["none"]) == 0)
    }

    /// Names that the removal itself uses on its way are no obstacle.
    @Test func itsOwnNamesMayBeTaken() throws {
        for name in ["t/.removed-0/a/b", "t/.removed-1", "t/x/.removed-0/y/z", "t/x/.removed-2/y"] {
            try folder.makeDirectory(name)
        }
        #expect(remove(folder["t"]) == 0)
    }

    // MARK: Sweeping

    @Test func whatNobodyUsesIsSwept() throws {
        let prefix = "nsrun-\(getuid())-"
        try folder.makeDirectory(prefix + "1-dead/root/tmp")
        try folder.makeDirectory(prefix + "2-alive/root")
        try folder.makeDirectory("nsrun-\(getuid() + 1)-3-other")
        try folder.makeDirectory("nsrun-x")
        try folder.write([], to: prefix + "4-file")
        try folder.makeDirectory("elsewhere")
        try folder.link(prefix + "5-link", to: "\(folder.path)/elsewhere")
        let lock = withCString(folder[prefix + "2-alive"]) { nsrun_lock_directory($0) }
        #expect(lock >= 0)
        ScratchRoot.sweep(ByteString(folder.path), user: getuid())
        closeDescriptor(lock)
        let left = HostFile.names(in: ByteString(folder.path)).map(\.text)
        #expect(
            Set(left) == [
                prefix + "2-alive", "nsrun-\(getuid() + 1)-3-other", "nsrun-x", prefix + "4-file",
                prefix + "5-link", "elsewhere",
            ])
        ScratchRoot.sweep(ByteString(folder.path), user: getuid())
        #expect(!HostFile.exists(folder[prefix + "2-alive"]))
    }

    @Test func whatACommandStillUsesIsKept() throws {
        try folder.makeDirectory("nsrun-\(getuid())-1-x/root")
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sleep")
        process.arguments = ["100"]
        process.environment = ["FAKECHROOT_BASE": own.text + "/root"]
        try process.run()
        // It is not what it shall be before it has been started.
        let environment = ByteString("/proc/\(process.processIdentifier)/environ")
        for _ in 0..<20_000
        where HostFacts.readFile(environment, limit: 1 << 20)?.holds(own) != true { usleep(1000) }
        ScratchRoot.sweep(ByteString(folder.path), user: getuid())
        #expect(HostFile.exists(own))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        ScratchRoot.sweep(ByteString(folder.path), user: getuid())
        #expect(!HostFile.exists(own))
    }

    /// Many at a time, each sweeping what it believes to be left behind: nobody loses his own.
    @Test func aSweepDoesNotTakeWhatIsJustBeingMade() async throws {
        let parent = ByteString(folder.path)
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for round in 0..<50 {
                        let name = ByteString("nsrun-\(getuid())-\(number)-\(round)")
                        var tree = ScratchRoot(path: parent.appending(path: name))
                        tree.add("/tmp", .directory(mode: 0o1777))
                        ScratchRoot.sweep(parent, user: getuid())
                        guard let lock = try? tree.make() else { return false }
                        let isThere = HostFile.exists(tree.path + "/root/tmp")
                        tree.remove()
                        closeDescriptor(lock)
                        if !isThere { return false }
                    }
                    return true
                }
            }
            for await isFine in group { #expect(isFine) }
        }
        #expect(HostFile.names(in: parent) == [])
    }

    @Test func itLiesInMemoryWhereThatIsPossible() {
        var facts = HostFacts.alice
        facts.environment = [ByteString("TMPDIR=\(folder.path)")]
        let parent = ScratchRoot.choosePath(facts).parent
        let hasMemory = withCString("/dev/shm") { nsrun_is_memory($0) }
        #expect(parent == (hasMemory ? "/dev/shm" : ByteString(folder.path)))
        #expect(!withCString("/proc") { nsrun_is_memory($0) })
        #expect(!withCString("/no/such") { nsrun_is_memory($0) })
        #expect(ScratchRoot.choosePath(facts) != ScratchRoot.choosePath(facts))
    }
}
