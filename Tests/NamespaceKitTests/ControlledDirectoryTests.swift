// SPDX-License-Identifier: Apache-2.0

import CHost
import Foundation
import Testing

@testable import NamespaceKit

/// A directory that nobody else can change or exchange, and what is refused as one.
///
/// Another user's directories are made by root, in Tests/RootfsTests/as-root.sh.
@Suite struct ControlledDirectoryTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        try makeDirectory("a/b/c")
    }

    private func makeDirectory(_ name: String) throws {
        var path = folder.path
        for part in name.split(separator: "/") {
            path += "/\(part)"
            mkdir(path, 0o755)
            chmod(path, 0o755)
        }
    }

    /// The path without links, or what is said against it.
    private func open(_ path: ByteString, making: Bool = false) -> String {
        do throws(ControlledDirectory.Refusal) {
            let directory = try ControlledDirectory.open(path, making: making)
            defer { directory.close() }
            return directory.path.text
        } catch {
            return "\(error.cause) (\(error.code))"
        }
    }

    private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    @Test func oneOfTheCallersIsFine() {
        #expect(open(folder["a/b/c"]) == path("a/b/c"))
        #expect(open(folder["a//./b/../b/c/"]) == path("a/b/c"))
    }

    @Test func whatIsMissingIsMadeForTheCallerAlone() throws {
        #expect(open(folder["a/new/new"]) == "\(path("a/new")): no such file or directory (2)")
        #expect(open(folder["a/new/new"], making: true) == path("a/new/new"))
        for name in ["a/new", "a/new/new"] {
            #expect(withCString(folder[name]) { nsrun_file_mode($0, false) } & 0o7777 == 0o700)
        }
    }

    @Test(arguments: ["a", "a/b", "a/b/c"], [0o775, 0o757, 0o777] as [mode_t])
    func whereOthersCanRenameItIsRefused(name: String, mode: mode_t) {
        chmod(path(name), mode)
        let words = "others can write to \(path(name)), and exchange what is in it (1)"
        #expect(open(folder["a/b/c"]) == words)
        #expect(open(folder["a/b/c/d"], making: true) == words)
        #expect(access(path("a/b/c/d"), F_OK) != 0)
    }

    /// Above it, the sticky bit keeps others from its entries. The directory itself is to hold nobody else's.
    @Test func theStickyBitHelpsOnTheWay() {
        chmod(path("a/b"), 0o1777)
        #expect(open(folder["a/b/c"]) == path("a/b/c"))
        #expect(
            open(folder["a/b"])
                == "others can write to \(path("a/b")), and exchange what is in it (1)")
    }

    @Test func linksAreFollowedAndTheirWayLookedAt() throws {
        try folder.link("link", to: "a/b")
        try folder.link("a/absolute", to: path("link/c"))
        try folder.link("loop", to: "loop")
        try folder.link("nowhere", to: "none")
        #expect(open(folder["link/c"]) == path("a/b/c"))
        #expect(open(folder["a/absolute"]) == path("a/b/c"))
        #expect(open(folder["loop"]).hasSuffix("(\(ELOOP))"))
        #expect(open(folder["nowhere"]).hasSuffix("(\(ENOENT))"))
        chmod(path("a"), 0o777)
        for name in ["link/c", "a/absolute"] {
            #expect(open(folder[name]).hasPrefix("others can write to \(path("a"))"), "\(name)")
        }
    }

    @Test func whatIsNoDirectoryIsRefused() throws {
        try folder.write([], to: "a/file")
        #expect(open(folder["a/file"]) == "\(path("a/file")) is not a directory (1)")
        #expect(open(folder["a/file/x"]) == "\(path("a/file")) is not a directory (1)")
    }

    /// Root's are on the way to everything, and are not the caller's own.
    @Test func theLastOneIsTheCallersOwn() {
        #expect(open("/") == "/ belongs to somebody else (1)")
        #expect(open("/usr/share") == "/usr/share belongs to somebody else (1)")
    }

    @Test func whatIsInItIsLookedAtToo() throws {
        let directory = try ControlledDirectory.open(folder["a"])
        defer { directory.close() }
        try folder.link("a/link", to: "b")
        try folder.write([], to: "a/file")
        func open(_ name: ByteString) -> String {
            do throws(ControlledDirectory.Refusal) {
                guard let found = try directory.open(name) else { return "none" }
                found.close()
                return found.path.text
            } catch {
                return error.cause
            }
        }
        #expect(open("b") == path("a/b"))
        #expect(open("none") == "none")
        #expect(open("link") == "\(path("a/link")) is not a directory")
        #expect(open("file") == "\(path("a/file")) is not a directory")
        chmod(path("a/b"), 0o770)
        #expect(open("b") == "others can write to \(path("a/b")), and exchange what is in it")
        #expect(directory.make("new") == 0)
        #expect(directory.make("new") == -EEXIST)
        #expect(directory.rename("new", to: "newer") == 0)
        #expect(directory.remove("newer") == 0)
        #expect(directory.remove("b") == 0)
        #expect(!HostFile.exists(folder["a/b"]))
    }
}
