// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc

extension FuzzTarget {
    /// A root's ld.so.cache, into which libraries of the host's are put; and its C library, whose version is looked
    /// for.
    static let linkerCache = FuzzTarget(name: "linker-cache", growsTo: 256 << 10) { bytes in
        // In memory of their own, aligned as pages are.
        let own = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        defer { own.deallocate() }
        for (index, byte) in bytes.enumerated() { own[index] = CChar(bitPattern: byte) }
        own[bytes.count] = 0
        _ = nsrun_highest_glibc(own, bytes.count)

        var step = HostLibraries.step
        let room = nsrun_merged_size(&step, bytes.count)
        let made = UnsafeMutablePointer<CChar>.allocate(capacity: room)
        made.initialize(repeating: 0, count: room)
        defer { made.deallocate() }
        let size = nsrun_merge_caches(&step, own, bytes.count, made)
        demand(size <= room, "more was written than there is room for")
        let names = HostLibraries.names(in: UnsafeRawBufferPointer(start: made, count: size))
        demand(
            HostLibraries.names.allSatisfy(names.contains), "the cache lacks what was put into it")
    }
}

/// Libraries of a graphics driver, in the cache's order.
private enum HostLibraries {
    static let names = ["libz.so.1", "libcuda.so.535", "libcuda.so.1"]

    nonisolated(unsafe) static let step: nsrun_step = {
        var step = nsrun_step()
        step.list = list(names)
        step.list2 = list(names.map { "/run/nsrun/host/" + $0 })
        let flags = UnsafeMutablePointer<Int32>.allocate(capacity: names.count)
        flags.initialize(repeating: 0x303, count: names.count)
        step.data = UnsafeRawPointer(flags).assumingMemoryBound(to: CChar.self)
        return step
    }()

    private static func list(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
        let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() {
            (list + index).initialize(to: UnsafePointer(strdup(text)))
        }
        (list + texts.count).initialize(to: nil)
        return UnsafePointer(list)
    }

    /// The names in a cache that lie in it, as far as they have the length of one that was put there.
    static func names(in cache: UnsafeRawBufferPointer) -> Set<String> {
        guard cache.count >= 48 else { fail("the cache has no header") }
        let count = Int(cache.loadUnaligned(fromByteOffset: 20, as: UInt32.self))
        guard count <= (cache.count - 48) / 24 else {
            fail("the cache has fewer entries than it says")
        }
        var names: Set<String> = []
        for index in 0..<count {
            let name = cache.loadUnaligned(fromByteOffset: 48 + index * 24 + 4, as: UInt32.self)
            guard name < cache.count else { continue }
            let bytes = cache[Int(name)...].prefix(32).prefix { $0 != 0 }
            names.insert(String(decoding: bytes, as: UTF8.self))
        }
        return names
    }
}
