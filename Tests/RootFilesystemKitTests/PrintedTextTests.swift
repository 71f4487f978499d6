// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// No name, record or archive reaches a terminal raw: whatever is printed, and wherever it comes from, it has no
/// control character but the newline.
@Suite struct PrintedTextTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
    }

    /// Escape sequences, what ends or hides a line, DEL, and C1 in both of its forms.
    private static let evil = "\u{1b}]0;evil\u{7}\u{1b}[2J\r\n\t\u{8}\u{7f}\u{9b}31m\u{85}\u{1}"

    private func expectHarmless(
        _ arguments: [String], mentions word: String = "evil",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let seen = try command.run(arguments).output
        #expect(seen.contains(word), "\(seen)", sourceLocation: sourceLocation)
        let raw = seen.unicodeScalars.filter {
            $0.value < 0x20 && $0.value != 0x0a || (0x7f..<0xa0).contains($0.value)
        }
        #expect(raw.isEmpty, "\(raw.map(\.value)) in \(seen)", sourceLocation: sourceLocation)
    }

    private func tree(_ name: String, _ record: ImageRecord) throws {
        try workspace.write("data/nsrun/rootfs/\(name)/.nsrun/image", record.encoded)
    }

    @Test func listAndShow() throws {
        var record = ImageRecord()
        record.origin = Self.evil
        record.suite = Self.evil
        record.architecture = Self.evil
        record.environment = ["A=\(Self.evil)"]
        record.user = Self.evil
        record.command = [Self.evil]
        try tree("one", record)
        try tree("evil\u{1b}[31m", record)
        try expectHarmless(["list"])
        try expectHarmless(["show", "one"])
        try expectHarmless(["show", workspace("data/nsrun/rootfs/evil\u{1b}[31m")])
        // In a record that escapes nothing.
        try workspace.write(
            "data/nsrun/rootfs/two/.nsrun/image", "origin \u{1b}[31mevil\r\nuser \u{9b}x\n")
        try expectHarmless(["list"])
        try expectHarmless(["show", "two"])
    }

    @Test func warningsAndErrors() throws {
        let place = "data/nsrun/rootfs/evil\u{1b}[31m"
        try workspace.write("\(place)/.nsrun/image", "origin x\n")
        chmod(workspace("\(place)/.nsrun/image"), 0o666)
        try expectHarmless(["list"], mentions: "the record is ignored")
        try expectHarmless(["show", Self.evil])
        try expectHarmless(["show", "./" + Self.evil])
        try expectHarmless(["remove", workspace(place)])
        try expectHarmless(["--" + Self.evil])
        try expectHarmless(["import", "--max-size", Self.evil, "x", "y"])
        try expectHarmless(["export", workspace(place), Self.evil])
        try expectHarmless(["stage", workspace(Self.evil), workspace("")])
        try expectHarmless(["pack", workspace(place), "x.tar", "--entry", "x=/\(Self.evil)"])
    }

    @Test func whatArchivesName() throws {
        for (index, build) in archives.enumerated() {
            let source = try workspace.write("evil\u{1b}[\(index)m.tar", tar(build))
            try expectHarmless(["import", source, "x\(index)"])
        }
        let package = try workspace.package("a") {
            $0.extended("path", Array(Self.evil.utf8))
            $0.file("x")
            $0.hardLink("b", to: Self.evil + "x")
        }
        try expectHarmless(["unpack", workspace("root"), package])
        try workspace.write("evil\u{1b}.deb", "no package")
        try expectHarmless(["unpack", workspace("root"), workspace("evil\u{1b}.deb")])
    }

    private var archives: [(inout TarBuilder) -> Void] {
        [
            { $0.file("../\(Self.evil)") }, { $0.hardLink("x", to: Self.evil) },
            {
                $0.file(Self.evil, "x")
                $0.file("\(Self.evil)/x", "y")
            },
            {
                $0.symlink(Self.evil, to: Self.evil)
                $0.file("\(Self.evil)/x", "y")
            },
            { $0.file("etc/os-release", "VERSION_CODENAME=evil\u{1b}[31m\n") },
        ]
    }

    /// A tool's complaints too.
    @Test func whatToolsPrint() throws {
        try workspace.write("evil.squashfs", "hsqs")
        try workspace.script(
            "bin/unsquashfs",
            "#!/bin/sh\nprintf '\\033[31mevil\\r\\n\\233x\\302\\205' >&2; exit 1\n")
        try expectHarmless(["import", workspace("evil.squashfs"), "x"])
    }
}
