// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// What RUN has changed, kept for the next build: a directory for each, named after all that it came of.
///
/// In `$XDG_CACHE_HOME/nsrun/build`, which nobody else can change.
struct BuildCache {
    let path: String
    private let directory: Descriptor

    static func place(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        BaseDirectory.cache.path(environment) + "/nsrun/build"
    }

    init(_ place: String = BuildCache.place()) throws {
        let opened: ControlledDirectory
        do throws(ControlledDirectory.Refusal) {
            opened = try ControlledDirectory.open(ByteString(place), making: true)
        } catch {
            throw RootFilesystemError(
                cannot: "keep layers in", place, because: error.cause,
                remedy: "set XDG_CACHE_HOME to a directory of yours alone")
        }
        directory = try Descriptor(opened.descriptor, cannot: "open", place)
        path = String(decoding: opened.path.bytes, as: UTF8.self)
        PartialName.sweep(path)
    }

    /// The layer that came of it before. Nobody removes it as long as it is there.
    func find(_ key: String) throws -> OverlayLayer? {
        let upper = "\(path)/\(key)/upper"
        guard let opened = directory.openDirectory(ByteString(key))?.openDirectory("upper") else {
            // One that is being removed is as good as gone.
            if errno == ENOENT { return nil }
            throw RootFilesystemError(cannot: "use the layer in", upper, errno: errno)
        }
        return try OverlayLayer(upper: opened, path: upper)
    }

    /// A place for one that is being made. `mode` is that of the root that it lies over.
    func draft(_ key: String, mode: mode_t) throws -> Draft {
        try Draft(key, in: directory, path, mode: mode)
    }

    /// A layer in the making: kept if it is committed, else gone with the object.
    final class Draft {
        let upper: String
        let work: String
        private let key: String
        private let name: String
        private let path: String
        private let parent: Descriptor
        private let directory: Descriptor

        fileprivate init(
            _ key: String, in parent: Descriptor, _ path: String, mode: mode_t
        ) throws {
            self.key = key
            self.parent = parent
            while true {
                let name = PartialName.new(for: key)
                guard mkdirat(parent.number, name, 0o700) == 0 else {
                    throw RootFilesystemError(
                        cannot: "create the directory", "\(path)/\(name)", errno: errno)
                }
                let opened = parent.openDirectory(ByteString(name))
                if opened == nil && errno != ENOENT {
                    throw RootFilesystemError(
                        cannot: "open the directory", "\(path)/\(name)", errno: errno)
                }
                // Another build's sweep may have taken it for debris before it was locked: then once more.
                if let directory = opened, PartialName.lock(directory, name, in: parent) {
                    self.name = name
                    self.path = "\(path)/\(name)"
                    self.directory = directory
                    break
                }
            }
            upper = "\(self.path)/upper"
            work = "\(self.path)/work"
            guard mkdirat(directory.number, "upper", 0o700) == 0,
                mkdirat(directory.number, "work", 0o700) == 0,
                fchmodat(directory.number, "upper", mode, 0) == 0
            else { throw RootFilesystemError(cannot: "create the directory", upper, errno: errno) }
        }

        /// What is in it.
        func layer() throws -> OverlayLayer {
            guard let upper = directory.openDirectory(ByteString("upper")) else {
                throw RootFilesystemError(cannot: "open", upper, errno: errno)
            }
            return try OverlayLayer(upper: upper, path: self.upper)
        }

        /// Keeps it. Where another build has been quicker, its layer is as good.
        func commit() throws {
            try TreeRemoval.remove(work)
            defer { flock(directory.number, LOCK_UN) }
            if renameat(parent.number, name, parent.number, key) != 0, errno != EEXIST,
                errno != ENOTEMPTY
            {
                throw RootFilesystemError(cannot: "keep", path, errno: errno)
            }
        }

        deinit {
            // Gone already where it was kept.
            try? TreeRemoval.remove(ByteString(name), in: parent, path, expected: directory)
        }
    }
}
