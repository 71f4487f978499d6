// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

@Suite struct UnpackTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func package(
        _ name: String, _ version: String = "1.0", fields: String = "",
        _ build: (inout TarBuilder) -> Void
    ) throws -> String {
        try workspace.package(name, version, fields: fields, build)
    }

    private func unpack(_ archives: String...) throws {
        let unpacker = PackageUnpacker(progress: ProgressReport(quiet: true))
        try unpacker.unpack(archives, to: workspace.destination("root"))
    }

    @Test func packagesShareDirectoriesAndAreRecorded() throws {
        let a = try package("a", "1:2.0-1") {
            $0.directory("./")
            $0.directory("./usr/bin")
            $0.file("./usr/bin/a", "a", mode: 0o755)
        }
        let b = try package("b", fields: "Architecture: amd64\n") {
            $0.directory("./usr/bin")
            $0.symlink("./usr/bin/b", to: "a")
        }
        try unpack(a, b)
        #expect(try workspace.names("root/usr/bin") == ["a", "b"])
        #expect(try workspace.names("root") == [".nsrun", "bin", "usr"])
        let image = try workspace.destination("root").image()
        #expect(image.packages == ["a 1:2.0-1", "b 1.0"])
        #expect(image.architecture == "amd64")
    }

    @Test func twoPackagesWithOneFileClash() throws {
        let a = try package("a") { $0.file("./etc/x", "of a") }
        let b = try package("b") { $0.file("./etc/x", "of b") }
        let error = failure { try unpack(a, b) }
        #expect(
            error?.description == """
                cannot unpack b 1.0: etc/x is also in a 1.0, with other contents
                  leave out one of the two packages
                """)
        #expect(try workspace.names() == ["debs"])
    }

    @Test func identicalFilesDoNotClash() throws {
        let a = try package("a") {
            $0.file("./etc/x", "same")
            $0.symlink("./etc/y", to: "x")
        }
        let b = try package("b") {
            $0.file("./etc/x", "same")
            $0.symlink("./etc/y", to: "x")
        }
        try unpack(a, b)
        #expect(workspace.read("root/etc/x") == "same")
    }

    @Test(arguments: [
        ("a", true), ("a (<< 2)", true), ("a (<= 1.0)", true), ("z, a (= 1.0)", true),
        ("a (<< 1.0)", false), ("a (>> 1.0)", false), ("ab", false),
    ])
    func replacesCountsWithItsVersion(_ relation: String, _ mayReplace: Bool) throws {
        let a = try package("a") { $0.file("./etc/x", "of a") }
        let b = try package("b", fields: "Replaces: \(relation)\n") { $0.file("./etc/x", "of b") }
        #expect((failure { try unpack(a, b) } == nil) == mayReplace)
        guard mayReplace else { return }
        #expect(workspace.read("root/etc/x") == "of b")
    }

    @Test func whatIsReplacedAlreadyStays() throws {
        let a = try package("a") { $0.file("./etc/x", "of a") }
        let b = try package("b", fields: "Replaces: a\n") { $0.file("./etc/x", "of b") }
        try unpack(b, a)
        #expect(workspace.read("root/etc/x") == "of b")
    }

    @Test func aNewerReleaseReplacesAnOlder() throws {
        let old = try package("a", "1.0") {
            $0.file("./etc/x", "old")
            $0.file("./etc/gone", "old")
        }
        let new = try package("a", "1.1") { $0.file("./etc/x", "new") }
        try unpack(old)
        try unpack(new)
        #expect(workspace.read("root/etc/x") == "new")
        #expect(try workspace.names("root/etc") == ["x"])
        #expect(try workspace.destination("root").image().packages == ["a 1.1"])
        #expect(failure { try unpack(old) }?.cause.contains("newer") == true)
        #expect(workspace.read("root/etc/x") == "new")
    }

    @Test func aPackageWithoutFilesIsNotForgotten() throws {
        try unpack(package("a") { $0.file("./etc/x") }, package("meta") { $0.directory("./etc") })
        try unpack(package("c") { $0.file("./etc/y") })
        let packages = try workspace.destination("root").image().packages
        #expect(packages == ["a 1.0", "meta 1.0", "c 1.0"])
    }

    @Test func laterUnpackingFollowsTheSameRules() throws {
        try unpack(package("a") { $0.file("./etc/x", "of a") })
        let inode = try workspace.status("root/etc/x").st_ino
        let clash = try package("b") { $0.file("./etc/x", "of b") }
        #expect(failure { try unpack(clash) }?.cause.contains("also in a 1.0") == true)
        try unpack(package("c") { $0.file("./etc/y", "of c") })
        #expect(try workspace.names("root/etc") == ["x", "y"])
        #expect(try workspace.status("root/etc/x").st_ino == inode)
        #expect(try workspace.status("root/etc/x").st_nlink == 1)
        #expect(try workspace.names() == ["debs", "root"])
    }

    @Test func aTreeOfAnotherOriginIsNotAddedTo() throws {
        try workspace.write("root/etc/x", "whose?")
        let a = try package("a") { $0.file("./etc/x", "of a") }
        #expect(failure { try unpack(a) }?.cause == "it already exists")
        #expect(workspace.read("root/etc/x") == "whose?")
    }

    @Test func multiArchSameInstallsSideBySide() throws {
        let fields = "Multi-Arch: same\nArchitecture: "
        let a = try package("lib", "1", fields: fields + "amd64\n") {
            $0.file("./usr/share/doc/lib", "same")
            $0.file("./usr/lib/amd64/lib.so", "amd64")
        }
        let b = try package("lib", "1.0", fields: fields + "arm64\n") {
            $0.file("./usr/share/doc/lib", "same")
            $0.file("./usr/lib/arm64/lib.so", "arm64")
        }
        try unpack(a, b)
        #expect(try workspace.names("root/usr/lib") == ["amd64", "arm64"])
    }

    @Test func aDirectoryDoesNotReplaceALinkToOne() throws {
        let a = try package("a") {
            $0.directory("./usr/lib")
            $0.symlink("./lib", to: "usr/lib")
        }
        let b = try package("b") {
            $0.directory("./lib")
            $0.file("./lib/x", "of b")
        }
        let c = try package("c") { $0.file("./usr/lib/x", "of c") }
        try unpack(a, b)
        #expect(try workspace.status("root/lib").isSymbolicLink)
        #expect(workspace.read("root/usr/lib/x") == "of b")
        // The same file by its other name is still b's.
        #expect(failure { try unpack(c) }?.cause.contains("also in b 1.0") == true)
    }

    @Test func directoriesAndFilesDoNotMix() throws {
        let a = try package("a") { $0.file("./x", "file") }
        let b = try package("b") { $0.file("./x/y", "in a directory") }
        let c = try package("c") { $0.directory("./x") }
        #expect(failure { try unpack(a, b) } != nil)
        #expect(failure { try unpack(a, c) } != nil)
        #expect(failure { try unpack(b, a) }?.cause.contains("is a directory") == true)
        #expect(try workspace.names() == ["debs"])
    }

    @Test func whatIsNoPackageIsRefused() throws {
        let noise = try workspace.write("debs/noise.deb", "not a package")
        #expect(failure { try unpack(noise) } != nil)
        let empty = try workspace.write("debs/empty.deb", "!<arch>\n")
        #expect(failure { try unpack(empty) }?.cause == "it has no control.tar")
        let whole = try package("a") { $0.file("./x", String(repeating: "x", count: 5000)) }
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: whole)))
        let cut = try workspace.write("debs/cut.deb", Array(bytes[..<(bytes.count - 3000)]))
        #expect(failure { try unpack(cut) } != nil)
        #expect(try workspace.names() == ["debs"])
    }

    @Test(arguments: [
        ("1.0", "1.1"), ("1.9", "1.10"), ("1.0~rc1", "1.0"), ("1.0~~", "1.0~"), ("9", "1:0"),
        ("1.0", "1.0a"), ("1.0a", "1.0+b"), ("1.0-1", "1.0-1+b1"), ("1.0-9", "1.0-10"),
        ("1.0", "1.0-1"), ("2.36-9+deb12u9", "2.36-9+deb12u13"), ("1.0a", "1.0."),
    ])
    func versionsAreOrderedAsByDpkg(_ lower: String, _ higher: String) {
        #expect(DebianVersion(lower) < DebianVersion(higher))
        #expect(!(DebianVersion(higher) < DebianVersion(lower)))
    }

    @Test(arguments: [("1.0", "0:1.0"), ("1.0", "1.00"), ("1.0", "1.0-0"), ("1.02", "1.2")])
    func versionsMayBeEqual(_ left: String, _ right: String) {
        #expect(DebianVersion(left) == DebianVersion(right))
    }
}
