// SPDX-License-Identifier: Apache-2.0

import CMuslParts
import Glibc
import Testing

/// nsrun's own heap, which stands in for musl's. One test at a time: it is made for programs with one thread.
@Suite("The heap", .serialized) struct HeapTests {
    @Test("gives pieces that do not overlap, from a byte to megabytes, in any order of freeing")
    func piecesAreApart() throws {
        var random = SystemRandomNumberGenerator()
        var pieces: [(memory: UnsafeMutableRawPointer, size: Int, mark: UInt8)] = []
        func check(_ piece: (memory: UnsafeMutableRawPointer, size: Int, mark: UInt8)) -> Bool {
            UnsafeRawBufferPointer(start: piece.memory, count: piece.size)
                .allSatisfy { $0 == piece.mark }
        }
        for round in 0..<4000 {
            let size = 1 << Int.random(in: 0...(round % 100 == 0 ? 22 : 13), using: &random)
            let odd = size + Int.random(in: 0..<size, using: &random)
            let memory = try #require(heap_malloc(odd))
            #expect(Int(bitPattern: memory) % 16 == 0)
            let mark = UInt8(truncatingIfNeeded: round)
            memset(memory, Int32(mark), odd)
            pieces.append((memory, odd, mark))
            if pieces.count > 100 {
                let piece = pieces.remove(at: .random(in: pieces.indices, using: &random))
                #expect(check(piece))
                heap_free(piece.memory)
            }
        }
        for piece in pieces {
            #expect(check(piece))
            heap_free(piece.memory)
        }
    }

    @Test("gives what was freed to the next one of that size")
    func freedIsUsedAgain() throws {
        for size in [1, 16, 17, 1000, 300_000] {
            let memory = try #require(heap_malloc(size))
            heap_free(memory)
            let next = try #require(heap_malloc(size))
            #expect(memory == next)
            heap_free(next)
        }
        heap_free(nil)
    }

    @Test("clears what calloc gives, be it used before")
    func zeroes() throws {
        let used = try #require(heap_malloc(96))
        memset(used, 0xff, 96)
        heap_free(used)
        let memory = try #require(heap_calloc(12, 8))
        #expect(memory == used)
        #expect(UnsafeRawBufferPointer(start: memory, count: 96).allSatisfy { $0 == 0 })
        heap_free(memory)
    }

    @Test("keeps the text of what grows, and moves it only if it has to")
    func growth() throws {
        var memory = try #require(heap_realloc(nil, 20))
        let first = memory
        memset(memory, 7, 20)
        memory = try #require(heap_realloc(memory, 32))
        #expect(memory == first)
        memory = try #require(heap_realloc(memory, 5000))
        #expect(memory != first)
        #expect(UnsafeRawBufferPointer(start: memory, count: 20).allSatisfy { $0 == 7 })
        heap_free(memory)
    }

    @Test("aligns", arguments: [16, 64, 4096, 65536])
    func alignment(to alignment: Int) throws {
        var aligned: [UnsafeMutableRawPointer] = []
        for size in [1, 100, 5000] {
            let memory = try #require(heap_aligned_alloc(alignment, size))
            #expect(Int(bitPattern: memory) % alignment == 0)
            memset(memory, 1, size)
            aligned.append(memory)
            var other: UnsafeMutableRawPointer?
            #expect(heap_posix_memalign(&other, alignment, size) == 0)
            memset(other!, 2, size)
            aligned.append(other!)
        }
        #expect(aligned.map { $0.load(as: UInt8.self) } == [1, 2, 1, 2, 1, 2])
        // What they held is for others now, as much of it as there was.
        for memory in aligned { heap_free(memory) }
        for size in [1, 100, 5000] {
            let memory = try #require(heap_malloc(size))
            memset(memory, 3, size)
            heap_free(memory)
        }
    }

    @Test("says when there is no such size, and keeps what it has")
    func tooMuch() throws {
        let memory = try #require(heap_malloc(10))
        for size in [Int.max, Int.max / 2, Int(bitPattern: UInt.max)] {
            errno = 0
            #expect(heap_malloc(size) == nil && errno == ENOMEM)
            #expect(heap_realloc(memory, size) == nil)
            #expect(heap_aligned_alloc(64, size) == nil)
        }
        #expect(heap_calloc(1 << 40, 1 << 40) == nil)
        var other: UnsafeMutableRawPointer?
        #expect(heap_posix_memalign(&other, 64, Int.max) == ENOMEM)
        heap_free(memory)
    }
}
