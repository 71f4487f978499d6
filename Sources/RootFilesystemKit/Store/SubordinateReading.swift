// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Reading trees with files of the caller's subordinate ids: only inside a user namespace that maps
/// those ids can all of them be read, and only there do owners have the numbers that the tree means.
public enum SubordinateReading {
    /// Whether the caller needs such a namespace for a tree.
    public static func isNeeded(for tree: Destination) throws -> Bool {
        let flags = O_RDONLY | O_DIRECTORY
        guard let root = try? Descriptor.open(tree.path, flags, cannot: "open") else {
            return false
        }
        return try isNeeded(in: root, tree.path)
    }

    static func isNeeded(in tree: Descriptor, _ path: String) throws -> Bool {
        guard geteuid() != 0 else { return false }
        let ranges = SubordinateRanges.ofCaller()
        guard !ranges.isEmpty else { return false }
        var isFound = false
        try TreeWalk.visit(tree, path) { place in
            isFound = ranges.hold(place.status)
            return !isFound
        }
        return isFound
    }

    /// Runs this very program once more, with the same arguments, as root of such a namespace, and ends
    /// as that ends.
    public static func runAgain() throws -> Never {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let status = try NamespaceTool(power: .subordinateIDs)
            .handOver(to: [program] + CommandLine.arguments.dropFirst())
        if status > 128 { Interruption.finish(Interrupted(signal: status - 128)) }
        exit(status)
    }
}
