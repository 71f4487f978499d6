// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What a stage begins with, or copies from, where that is no other stage: a rootfs in the store, or an image that skopeo
/// fetches. Never a file by its path: who wrote the Containerfile is to reach nothing but the context.
struct BaseImage {
    private let name: String
    private let surroundings: StageBuilder.Surroundings
    private let architecture: String

    /// `name` as FROM has it.
    init(_ name: String, _ surroundings: StageBuilder.Surroundings, architecture: String) {
        self.name = name
        self.surroundings = surroundings
        self.architecture = architecture
    }

    /// Makes a tree of it beside the destination.
    func make() throws -> StageBuilder.Built {
        let progress = surroundings.progress
        var importer = Importer(progress: progress)
        importer.maximumSize = surroundings.maximumSize
        importer.architecture = architecture
        var tree = try PartialTree(for: surroundings.destination, isShared: true) {
            progress.note($0)
        }
        let record: ImageRecord
        let key: String
        let remote = try remote()
        if let path = storedPath() {
            progress.begin("copying \(name)")
            let source = try ImportSource(path)
            key = StageBuilder.key("", ["path", try ImageDigest.of(path, progress: progress)])
            record = try importer.fill(&tree, for: surroundings.destination, from: source)
        } else {
            progress.begin("fetching \(name)")
            let fetched = try PartialTree(for: surroundings.destination) { progress.note($0) }
            let parts = try remote.fetch(
                into: fetched, architecture: architecture, largest: surroundings.maximumSize,
                progress)
            // The manifest has the digests of all else.
            let manifest = try ImageParts(
                RootDirectory(path: name, descriptor: parts), .flat
            ).read("manifest.json")
            key = StageBuilder.key("", ["image", String(decoding: manifest, as: UTF8.self)])
            record = try importer.fill(
                &tree, for: surroundings.destination,
                from: ImportSource(fetched: parts, of: name))
            withExtendedLifetime(fetched) {}
        }
        var state = StageState()
        state.record = record.portable
        let found = TreeFacts(of: tree.root).architecture ?? record.architecture
        return StageBuilder.Built(
            tree: tree, state: state, key: key, architecture: found ?? architecture)
    }

    /// Where skopeo would find it. The transports that take paths are not for a Containerfile.
    private func remote() throws -> RemoteImage {
        let isPath = ["./", "../", "/"].contains { name.hasPrefix($0) }
        let written = RemoteImage(name)
        let isByName = ["docker://", "docker-daemon:", "containers-storage:"].contains {
            name.hasPrefix($0)
        }
        // containers-storage:[DRIVER@DIRECTORY]NAME
        guard !isPath, written == nil || isByName, !name.contains("["),
            let remote = written ?? RemoteImage("docker://\(name)")
        else {
            throw RootFilesystemError(
                cannot: "begin with", name,
                because: "a Containerfile reaches no files outside of its context",
                remedy: "nsrun-rootfs import \(name.harmlessLine) NAME, and then FROM NAME")
        }
        return remote
    }

    /// A name in the store; nil for an image that is elsewhere.
    private func storedPath() -> String? {
        var word = name
        if word.hasPrefix("localhost/") {
            word.removeFirst("localhost/".count)
            if word.hasSuffix(":latest") { word.removeLast(":latest".count) }
        }
        guard !word.contains("/"),
            let stored = try? Destination(word, store: surroundings.store), stored.exists
        else { return nil }
        return stored.path
    }
}
