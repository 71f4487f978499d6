// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What is bound onto a link stands in the link's place; what that leads to stays as it is.
@Suite struct LinkPlaceTests {
    private func root() throws -> BareRoot {
        let root = try BareRoot(with: ["cat"])
        try root.directory.write("the root's\n", to: "real/file")
        try root.directory.write("the root's\n", to: "real/directory/file")
        try root.directory.link("real/link", to: "file")
        try root.directory.link("real/away", to: "/real/directory")
        try root.directory.link("real/dangling", to: "/nowhere/at/all")
        return root
    }

    @Test(
        arguments: MountPath.allCases,
        [["--bind"], ["--ro-bind"], ["--ephemeral", "--bind"], ["--writable", "--ro-bind"]])
    func files(path: MountPath, option: [String]) throws {
        let root = try root()
        let folder = try TemporaryDirectory()
        try folder.write("outside\n", to: "file")
        for link in ["/real/link", "/real/dangling"] {
            let seen = try inRoot(
                "cat \(link) /real/file; [ -e /nowhere ] || echo nothing",
                path.options + option + [folder / "file", link], root: root.path)
            expect(seen, prints: "outside\nthe root's\nnothing")
        }
    }

    @Test(arguments: MountPath.allCases, [["--bind"], ["--ro-bind"], ["--ephemeral", "--bind"]])
    func directories(path: MountPath, option: [String]) throws {
        let root = try root()
        let folder = try TemporaryDirectory()
        try folder.write("outside\n", to: "file")
        let seen = try inRoot(
            "cat /real/away/file /real/directory/file /real/link",
            path.options + option + [folder.path, "/real/away"], root: root.path)
        expect(seen, prints: "outside\nthe root's\nthe root's")
        // A link on the way is followed.
        let below = try inRoot(
            "cat /real/directory/file",
            path.options + option + [folder / "file", "/real/away/file"], root: root.path)
        expect(below, prints: "outside")
    }

    @Test(arguments: MountPath.allCases)
    func data(path: MountPath) throws {
        let root = try root()
        for option in ["--ro-bind-data", "--bind-data"] {
            let seen = try inRoot(
                "cat /real/link /real/file", path.options + [option, "7", "/real/link"],
                root: root.path, descriptors: [7: "data\n"])
            expect(seen, prints: "data\nthe root's")
        }
    }

    /// The host's own stay as they are, too.
    @Test(arguments: MountPath.allCases)
    func onTheHost(path: MountPath) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write("the host's\n", to: "file")
        try folder.write("outside\n", to: "other")
        try folder.link("link", to: "file")
        let seen = try onHost(
            "cat \(folder / "link") \(folder / "file")",
            path.options + ["--ro-bind", folder / "other", folder / "link"])
        expect(seen, prints: "outside\nthe host's")
    }
}
