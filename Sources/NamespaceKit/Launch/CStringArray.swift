// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// C strings, owned until freed. What the executor reads between clone and exec lives here.
struct CStringArray {
    private(set) var pointers: [UnsafeMutablePointer<CChar>?] = []
    private var vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

    mutating func append(_ text: ByteString) {
        pointers.append(CStringArray.copy(text))
    }

    mutating func appendNull() { pointers.append(nil) }

    static func copy(_ text: ByteString) -> UnsafeMutablePointer<CChar> {
        let count = text.count
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: count + 1)
        text.bytes.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { memcpy(copy, base, count) }
        }
        copy[count] = 0
        return copy
    }

    /// The vector that execve(2) takes, ending with a null pointer.
    mutating func terminated() -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        if let vector { return vector }
        let made = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: pointers.count + 1)
        for index in 0..<pointers.count { made[index] = pointers[index] }
        made[pointers.count] = nil
        vector = made
        return made
    }

    mutating func free() {
        for pointer in pointers { pointer?.deallocate() }
        vector?.deallocate()
        pointers = []
        vector = nil
    }
}
