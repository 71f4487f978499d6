// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--rootfs WORD`: a name means the store, a path has a slash, and neither is taken for the other.
@Suite struct StoreNameTests {
    private let folder: TemporaryDirectory
    private var store: String { folder / "data/nsrun/rootfs" }

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("data/nsrun/rootfs/bookworm-test")
        try folder.makeDirectory("data/nsrun/rootfs/.hidden-name")
    }

    private func launch(_ word: String) throws -> Outcome {
        try nsrun(
            ["--rootfs", word, "true"], environment: ["XDG_DATA_HOME": folder / "data"],
            directory: folder.path)
    }

    private func expectRefusal(
        _ word: String, _ remedy: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        expect(
            try launch(word),
            Outcome(
                status: 125, output: "",
                error: """
                    nsrun: cannot use the rootfs \(word): there is none of that name in the store \(store)
                      \(remedy)
                    """), sourceLocation: sourceLocation)
    }

    @Test func whatLiesHereIsMeantByItsPath() throws {
        try folder.makeDirectory("trixie")
        try folder.write("hsqs", to: "image.squashfs")
        for name in ["trixie", "image.squashfs"] {
            try expectRefusal(name, "for the one in the current directory write ./\(name)")
        }
        // Not because of its name any more.
        #expect(!(try launch("./trixie").error.contains("store")))
    }

    @Test func aReleaseCanBeMade() throws {
        try expectRefusal("trixie", "make it: nsrun-rootfs debian trixie trixie")
        try expectRefusal("sid", "make it: nsrun-rootfs debian sid sid")
    }

    @Test func aNearNameIsNamed() throws {
        try expectRefusal("bookwrom-test", "did you mean bookworm-test?")
        try expectRefusal("bookworm-tests", "did you mean bookworm-test?")
    }

    @Test func otherwiseTheListIsNamed() throws {
        for word in ["nothing-like-it", "hidden-name", String(repeating: "x", count: 300)] {
            try expectRefusal(
                word, "nsrun-rootfs list shows what there is; a path has a slash in it")
        }
    }

    @Test func aNameIsNotAPathInTheStore() throws {
        try folder.makeDirectory("data/nsrun/outside")
        for word in ["../outside", "./bookworm-test", "bookworm-test/"] {
            let seen = try launch(word)
            #expect(
                seen.error.hasPrefix("nsrun: cannot use the rootfs \(word): no such file"),
                "\(seen)")
        }
    }
}
