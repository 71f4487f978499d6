// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import RootFilesystemKit

extension Workspace {
    /// Writes a .deb by hand: an ar archive with the three members.
    func package(
        _ name: String, _ version: String = "1.0", fields: String = "",
        _ build: (inout TarBuilder) -> Void
    ) throws -> String {
        let control = """
            Package: \(name)
            Version: \(version)
            Architecture: \(fields.contains("Architecture:") ? "" : "all")
            Maintainer: Nobody <nobody@example.org>
            Description: a test
             of unpacking
            """.replacingOccurrences(of: "Architecture: \n", with: "") + "\n" + fields
        let members = [
            ("debian-binary", Array("2.0\n".utf8)),
            ("control.tar", tar { $0.file("./control", control) }), ("data.tar", tar(build)),
        ]
        var bytes = Array("!<arch>\n".utf8)
        for (name, contents) in members {
            func field(_ text: String, _ width: Int) -> String {
                text.padding(toLength: width, withPad: " ", startingAt: 0)
            }
            let header =
                field(name, 16) + field("0", 12) + field("0", 6) + field("0", 6)
                + field("100644", 8) + field(String(contents.count), 10) + "`\n"
            bytes += Array(header.utf8) + contents
            if contents.count % 2 == 1 { bytes.append(UInt8(ascii: "\n")) }
        }
        return try write("debs/\(name)_\(version).deb", bytes)
    }
}
