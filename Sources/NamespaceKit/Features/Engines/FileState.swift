// SPDX-License-Identifier: Apache-2.0

import CHost

/// Tells states of files apart: by where they lie, device, inode, time of change and size.
enum FileState {
    /// A name for a text (FNV-1a). Only the caller can write to the cache, where such names are used.
    static func hash(_ text: ByteString) -> ByteString { hash(text, [])! }

    /// A name for a text and the state of files; nil where that cannot be told of one.
    static func hash(_ text: ByteString, _ paths: [ByteString]) -> ByteString? {
        var isKnown = true
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in text.bytes { mix(byte) }
        for path in paths {
            mix(0)
            for byte in path.bytes { mix(byte) }
            var numbers: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &numbers) { bytes in
                let code = withCString(path) {
                    nsrun_stamp($0, bytes.baseAddress!.assumingMemoryBound(to: UInt64.self))
                }
                if HostFacts.passes(-code) { isKnown = false }
                for byte in bytes { mix(byte) }
            }
        }
        return isKnown ? ByteString(String(hash, radix: 16)) : nil
    }

    /// `$XDG_CACHE_HOME/nsrun/engines`; nil where there is no home, and where others could put something there:
    /// then nothing is remembered. What is missing is yet to be made, see ``ControlledDirectory``.
    static var cache: ByteString? {
        guard let place else { return nil }
        do throws(ControlledDirectory.Refusal) {
            let directory = try ControlledDirectory.open(place)
            directory.close()
            return directory.path
        } catch {
            return error.code == ENOENT ? place : nil
        }
    }

    private static var place: ByteString? {
        if let cache = HostProcess.variable("XDG_CACHE_HOME"), cache.isAbsolute {
            return cache.appending(path: "nsrun/engines")
        }
        guard let home = HostProcess.variable("HOME"), home.isAbsolute, HostFile.isDirectory(home)
        else {
            return nil
        }
        return home.appending(path: ".cache/nsrun/engines")
    }
}

/// A check that has been passed by these very files, remembered in the cache: a launch need not wait for it
/// again.
struct CheckStamp {
    private let file: ByteString?

    init(_ engine: Engine, _ paths: [ByteString]) {
        let name = FileState.hash(ByteString(engine.name), paths)
        file = name.flatMap { name in FileState.cache?.appending(path: name) }
    }

    var isKnown: Bool { file.map { HostFile.exists($0) } ?? false }

    /// Where that is not possible, the next launch checks again.
    func note() {
        guard let file, let folder = file.parent else { return }
        do throws(ControlledDirectory.Refusal) {
            try ControlledDirectory.open(folder, making: true).close()
            _ = withCString(file) { nsrun_make_file($0, "", 0, 0o600) }
        } catch {}
    }
}
