// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit

extension FuzzTarget {
    /// A whole SIF, first from memory and then as a root that is a file.
    static let sif = FuzzTarget(name: "sif") { bytes in
        func read(_ offset: UInt64, _ count: Int) -> [UInt8]? {
            guard offset <= UInt64(bytes.count) else { return nil }
            return Array(bytes[Int(offset)...].prefix(count))
        }
        do throws(SIFFile.Fault) {
            let sif = try SIFFile(size: UInt64(bytes.count), read: read)
            for part in sif.parts {
                demand(part.size <= UInt64(bytes.count), "a part is larger than the file")
                demand(part.offset <= UInt64(bytes.count) - part.size, "a part leaves the file")
                demand(!part.name.contains(0), "a name has a NUL byte")
            }
            let primary = try sif.primary()
            demand(primary.partition?.use == .primary, "not the primary partition")
        } catch {
            demand(isLine(error.cause) && isLine(error.remedy), "a fault of several lines")
        }
        let file = MemoryFile(bytes)
        let finder = RootImageFinder(
            path: file.path, request: LaunchRequest(command: ["true"]), facts: HostFacts())
        if case .image(let image) = finder.find() {
            demand(image.offset <= UInt64(bytes.count), "the root is not in the file")
        }
    }
}
