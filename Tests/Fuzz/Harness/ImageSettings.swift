// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit
@testable import RootFilesystemKit

extension FuzzTarget {
    /// What an image says of how it is run: written by nsrun-rootfs from what others wrote, read by nsrun.
    static let imageSettings = FuzzTarget(name: "image-settings", growsTo: 256 << 10) { bytes in
        let settings = ImageSettings(parsing: bytes)
        var request = LaunchRequest(command: ["true"])
        request.root.view = .rootfs("/srv/debian")
        for entry in settings.environment {
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0 else { continue }
            request.program.environment.changes.append(
                .set(name: entry.slice(from: 0, to: sign), value: entry.slice(from: sign + 1)))
        }
        _ = try? Planner.plan(request, on: HostFacts(), as: .parent)

        // The two programs agree on every value, and no value becomes another line.
        let record = ImageRecord(decoding: bytes)
        let encoded = Array(record.encoded.utf8)
        demand(ImageRecord(decoding: encoded) == record, "a record is read as another")
        let read = ImageSettings(parsing: encoded)
        demand(read.environment == record.environment.map { ByteString($0) }, "environment")
        demand(
            read.command == (record.entryPoint + record.command).map { ByteString($0) }, "command")
        demand(read.user == record.user.map { ByteString($0) }, "user")
        demand(read.workingDirectory == record.workingDirectory.map { ByteString($0) }, "workdir")
        // As an image's own configuration has it.
        let text = String(decoding: bytes, as: UTF8.self)
        var whole = ImageRecord()
        whole.origin = text
        whole.suite = text
        whole.environment = [text]
        let again = ImageSettings(parsing: Array(whole.encoded.utf8))
        demand(
            again == ImageSettings(parsing: Array(("env " + escaped(text)).utf8)), "an extra line")
        demand(again.environment == [ByteString(text)], "a value is read as another")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
