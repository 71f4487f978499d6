// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit

extension FuzzTarget {
    /// A specification of devices (CDI), as YAML or JSON.
    static let devices = FuzzTarget(name: "devices", growsTo: 256 << 10) { bytes in
        _ = DeviceName(ByteString(bytes: bytes))
        do throws(YAMLError) {
            let document = try YAMLNode.parse(bytes)
            let kind = DeviceSpecification.kind(of: document)
            let specification = try DeviceSpecification(file: "/etc/cdi/x.yaml", document)
            demand(specification.kind == kind, "a file has two kinds")
            for edits in [specification.edits] + specification.devices.map(\.edits) {
                for hook in edits.hooks { _ = DeviceHook(hook) }
            }
        } catch {
            demand(error.line >= 1 && error.line <= lines(of: bytes) + 1, "no line of the file")
        }
    }

    /// What YAML takes for ends of lines besides `\n`: `\r`, U+0085, U+2028 and U+2029. There may be fewer.
    private static func lines(of bytes: [UInt8]) -> Int {
        bytes.reduce(1) { count, byte in
            let isEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || byte >= 0x80
            return count + (isEnd ? 1 : 0)
        }
    }
}
