// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit
@testable import RootFilesystemKit

extension FuzzTarget {
    /// A Debian package's control file, versions, and the record of what was unpacked.
    static let control = FuzzTarget(name: "control", makesFiles: true, growsTo: 256 << 10) {
        bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let package = DebianPackage(control: bytes) {
            let again = DebianPackage(control: Array(package.control.utf8))
            demand(again == package, "a package is another")
            let lines = package.control.utf8.filter { $0 == UInt8(ascii: "\n") }.count
            demand(lines <= 5, "a field is several lines")
            _ = package.mayReplaceFiles(of: package)
        }
        check(text.split(separator: "\n").prefix(4).map { DebianVersion(String($0.prefix(512))) })
        Scratch.use {
            let directory = Scratch.makeDirectory("root")
            guard let root = try? RootDirectory(opening: directory) else { fail("no directory") }
            let writer = TreeWriter(root: root, budget: ExtractionBudget())
            guard let installed = try? InstalledPackages(decoding: bytes, in: writer),
                let again = try? InstalledPackages(decoding: installed.encoded, in: writer)
            else { return }
            demand(again.encoded == installed.encoded, "a record is read as another")
        }
    }

    /// An order is one: of two versions one comes first or they are equal, and of three nothing goes round.
    private static func check(_ versions: [DebianVersion]) {
        for left in versions {
            demand(left == left, "a version is not itself")
            for right in versions {
                let comparisons = [left < right, left == right, right < left].filter { $0 }
                demand(comparisons.count == 1, "\(left) and \(right) have no order")
                for third in versions where left < right && right < third {
                    demand(left < third, "\(left), \(right) and \(third) go round")
                }
            }
        }
    }
}
