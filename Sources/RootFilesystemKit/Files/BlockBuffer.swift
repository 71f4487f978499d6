// SPDX-License-Identifier: Apache-2.0

/// Memory at an address that stays, for the calls that fill it and the blocks that point into it.
final class BlockBuffer {
    let bytes: UnsafeMutableRawBufferPointer

    init(size: Int) {
        bytes = .allocate(byteCount: size, alignment: 4096)
    }

    deinit {
        bytes.deallocate()
    }
}
