import CNamespace

/// What the engines without namespaces need besides a plan.
public enum EngineTools {
    /// The first argument with which nsrun runs inside of another engine.
    static let helperWord: ByteString = "--engine-helper"

    /// Where a pack has its libfakechroot.so and its proot. Set once, before the first launch.
    nonisolated(unsafe) public static var folder: ByteString?

    /// What nsrun does inside of proot(1), if that is what it was started for: the exit status.
    public static func runAsHelper(_ arguments: [ByteString]) -> Int32? {
        guard arguments.count > 4, arguments[1] == helperWord else { return nil }
        if arguments[2] == "see" {
            return withCString(arguments[3]) { inside in
                withCString(arguments[4]) { nsrun_sees_root(inside, $0) ? 0 : 1 }
            }
        }
        guard let status = arguments[3].number(), arguments.count > 5 else { return 125 }
        var vector = CStringArray()
        for argument in arguments[5...] { vector.append(argument) }
        let list = vector.terminated()
        return withCString(arguments[4]) { nsrun_run_inside(Int32(status), $0, list) }
    }

    /// A check that has been passed by these very files, remembered in `$XDG_CACHE_HOME/nsrun/engines`: a launch
    /// need not wait for it again.
    struct Stamp {
        private let file: ByteString?

        init(_ engine: StaticString, _ paths: [ByteString]) {
            guard let folder = Stamp.folder() else {
                file = nil
                return
            }
            // FNV-1a. Who can write to the cache could write to the programs as well.
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            for byte in ByteString(stringLiteral: engine).bytes { mix(byte) }
            for path in paths {
                for byte in path.bytes { mix(byte) }
                var numbers: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
                withUnsafeMutableBytes(of: &numbers) { bytes in
                    withCString(path) {
                        nsrun_stamp($0, bytes.baseAddress!.assumingMemoryBound(to: UInt64.self))
                    }
                    for byte in bytes { mix(byte) }
                }
            }
            file = folder.appending(path: ByteString(String(hash, radix: 16)))
        }

        private static func folder() -> ByteString? {
            if let cache = HostProcess.variable("XDG_CACHE_HOME"), cache.isAbsolute {
                return cache.appending(path: "nsrun/engines")
            }
            return HostProcess.variable("HOME").map { $0.appending(path: ".cache/nsrun/engines") }
        }

        var isKnown: Bool { file.map { HostFile.exists($0) } ?? false }

        /// Where that is not possible, the next launch checks again.
        func note() {
            guard let file, let folder = file.parent else { return }
            HostFile.makeDirectories(folder)
            _ = withCString(file) { nsrun_make_file($0, "", 0, 0o600) }
        }
    }
}
