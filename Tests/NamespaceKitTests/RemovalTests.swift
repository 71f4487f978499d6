// SPDX-License-Identifier: Apache-2.0

import CHost
import Foundation
import Testing

@testable import NamespaceKit

/// Removing a tree that somebody else has filled, or is changing meanwhile. See ScratchRootTests, too.
@Suite struct RemovalTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func remove(_ path: ByteString) -> Int32 {
        withCString(path) { nsrun_remove_tree($0) }
    }

    /// Runs a script in the folder.
    private func perl(_ script: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/perl")
        process.arguments = ["-e", script]
        process.currentDirectoryURL = URL(filePath: folder.path)
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// Deeper than any path can say, and than there may be descriptors; and directories of directories beside it.
    @Test func anyShapeGoes() throws {
        try perl(
            """
            for my $name ("t", map { "d" x 100 } 1 .. 5000) { mkdir $name and chdir $name or die }
            open my $file, ">", "f" or die;
            """)
        try perl(
            """
            chdir "t" or die;
            for my $n (1 .. 3000) {
                mkdir "w$n" and mkdir "w$n/x" or die;
                open my $file, ">", "w$n/x/f" or die;
                open my $other, ">", "f$n" or die;
            }
            """)
        #expect(remove(folder["t"]) == 0)
        #expect(!HostFile.exists(folder["t"]))
    }

    /// The mode of a directory that may not be read is changed by its descriptor: by its name, it would be that of
    /// whatever a link put in its place leads to.
    @Test func aLinkThatTakesADirectorysPlaceIsNotFollowed() throws {
        try folder.makeDirectory("victim")
        chmod("\(folder.path)/victim", 0o500)
        defer { chmod("\(folder.path)/victim", 0o700) }
        try folder.makeDirectory("t")
        let (place, link) = ("\(folder.path)/t/x", "\(folder.path)/l")
        try folder.link("l", to: "\(folder.path)/victim")
        let swapper = Process()
        swapper.executableURL = URL(filePath: "/usr/bin/perl")
        // renameat2(2) with RENAME_EXCHANGE, without end.
        #if arch(arm64)
            let number = 276
        #else
            let number = 316
        #endif
        swapper.arguments = [
            "-e",
            "while (1) { syscall \(number), -100, \"\(place)\", -100, \"\(link)\", 2 }",
        ]
        try swapper.run()
        defer {
            swapper.terminate()
            swapper.waitUntilExit()
        }
        for _ in 0..<2000 {
            mkdir(place, 0)
            _ = remove(folder["t/x"])
            unlink(link)
            rmdir(link)
            symlink("\(folder.path)/victim", link)
            #expect(withCString(folder["victim"]) { nsrun_file_mode($0, false) } & 0o777 == 0o500)
        }
    }

    @Test func onlyTheDirectoryThatWasMeantGoes() throws {
        try folder.write([], to: "t/file")
        try folder.write([], to: "other/file")
        let parent = open(folder.path, O_RDONLY | O_DIRECTORY)
        let other = open("\(folder.path)/other", O_RDONLY | O_DIRECTORY)
        defer {
            close(parent)
            close(other)
        }
        #expect(nsrun_remove_at(parent, "t", other, nil, nil, 0) == -ESTALE)
        #expect(HostFile.exists(folder["t/file"]))
        #expect(nsrun_remove_at(parent, "other", other, nil, nil, 0) == 0)
        #expect(!HostFile.exists(folder["other"]))
    }

    @Test func itStopsWhenItIsToldTo() throws {
        for n in 0..<10 { try folder.write([], to: "t/\(n)/file") }
        let parent = open(folder.path, O_RDONLY | O_DIRECTORY)
        defer { close(parent) }
        var stop: Int32 = 1
        #expect(nsrun_remove_at(parent, "t", -1, &stop, nil, 0) == -EINTR)
        #expect(HostFile.names(in: folder["t"]).count == 10)
        stop = 0
        #expect(nsrun_remove_at(parent, "t", -1, &stop, nil, 0) == 0)
    }

    /// As in a directory of root's.
    @Test func whatCannotBeRemovedIsNamed() throws {
        let parent = open("/", O_RDONLY | O_DIRECTORY)
        defer { close(parent) }
        var culprit = [CChar](repeating: 0, count: 300)
        #expect(nsrun_remove_at(parent, "proc", -1, nil, &culprit, culprit.count) < 0)
        #expect(ByteString(cString: culprit) == "/proc")
    }
}
