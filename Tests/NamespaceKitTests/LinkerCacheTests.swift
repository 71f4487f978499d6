// SPDX-License-Identifier: Apache-2.0

import CCheckedParts
import CNamespace
import Testing

@testable import NamespaceKit

/// Libraries of the host's in a root's ld.so.cache, whose own text is hostile.
@Suite struct LinkerCacheTests {
    private let host: [Library] = [
        Library(name: "libz.so.1", path: "/run/host/libz.so.1"),
        Library(name: "libcuda.so.1", path: "/run/host/libcuda.so.1"),
    ]

    @Test func whatIsAddedComesBeforeTheRootsOwn() throws {
        let own = [
            Library(name: "libz.so.1", path: "/lib/libz.so.1"),
            Library(name: "libc.so.6", path: "/lib/libc.so.6"),
        ]
        #expect(libraries(of: merge(host, own: cache(of: own))) == host + own.suffix(1))
    }

    @Test(arguments: [[], Array("ld.so-1.7.0".utf8), Array("glibc-ld.so.cache1.1".utf8)])
    func aRootWithoutACacheGetsOne(own: [UInt8]) {
        #expect(libraries(of: merge(host, own: own)) == host)
    }

    /// Not even an address is computed from a cache that is not there.
    @Test func whatIsNotThereIsNotPointedInto() async {
        await #expect(processExitsWith: .success) {
            var step = nsrun_step()
            let end: [UnsafePointer<CChar>?] = [nil]
            end.withUnsafeBufferPointer { end in
                step.list = end.baseAddress
                step.list2 = end.baseAddress
                var made = [CChar](repeating: 0, count: nsrun_merged_size(&step, 0))
                _ = checked_merge_caches(&step, nil, 0, &made)
            }
        }
    }

    /// Names in it may lie over each other, and all be as long as the file.
    @Test func aCacheWithNamesThatNoFileCanHaveIsPassedOver() {
        let digits = String(repeating: "1", count: 256)
        let own = [Library(name: "libz.so." + digits, path: "/x")]
        #expect(libraries(of: merge(host, own: cache(of: own))) == host)
    }

    // MARK: A cache, as glibc writes it

    private struct Library: Equatable {
        var name: String
        var path: String
    }

    private func cache(of libraries: [Library]) -> [UInt8] {
        var strings: [UInt8] = []
        var entries: [UInt32] = []
        for library in libraries {
            let start = UInt32(48 + libraries.count * 24 + strings.count)
            entries += [0x303, start, start + UInt32(library.name.utf8.count) + 1, 0, 0, 0]
            strings += Array((library.name + "\0" + library.path + "\0").utf8)
        }
        var numbers: [UInt32] = [UInt32(libraries.count), UInt32(strings.count), 2, 0, 0, 0, 0]
        numbers += entries
        return Array("glibc-ld.so.cache1.1".utf8)
            + numbers.flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } } + strings
    }

    private func libraries(of cache: [UInt8]) -> [Library] {
        func number(_ offset: Int) -> Int {
            Int(cache.number(at: offset, size: 4, isLittleEndian: true) ?? 0)
        }
        func text(_ offset: Int) -> String {
            String(decoding: cache[offset...].prefix { $0 != 0 }, as: UTF8.self)
        }
        return (0..<number(20)).map { index in
            let entry = 48 + index * 24
            return Library(name: text(number(entry + 4)), path: text(number(entry + 8)))
        }
    }

    private func merge(_ libraries: [Library], own: [UInt8]) -> [UInt8] {
        var names = CStringArray()
        var paths = CStringArray()
        defer {
            names.free()
            paths.free()
        }
        for library in libraries {
            names.append(ByteString(library.name))
            paths.append(ByteString(library.path))
        }
        var step = nsrun_step()
        step.list = list(&names)
        step.list2 = list(&paths)
        let flags = [Int32](repeating: 0x303, count: libraries.count)
        let memory = own + [0]
        return flags.withUnsafeBytes { flags in
            step.data = flags.bindMemory(to: CChar.self).baseAddress
            return memory.withUnsafeBytes { own in
                let own = own.bindMemory(to: CChar.self)
                var made = [UInt8](
                    repeating: 0, count: nsrun_merged_size(&step, own.count - 1))
                let size = made.withUnsafeMutableBytes {
                    nsrun_merge_caches(
                        &step, own.baseAddress, own.count - 1,
                        $0.bindMemory(to: CChar.self).baseAddress)
                }
                return Array(made[..<size])
            }
        }
    }

    private func list(_ strings: inout CStringArray) -> UnsafePointer<UnsafePointer<CChar>?> {
        UnsafeRawPointer(strings.terminated()).assumingMemoryBound(
            to: UnsafePointer<CChar>?.self)
    }
}
