// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// Builds a Debian by mmdebstrap(1), which runs inside namespaces of nsrun: as root with real ids
/// where the caller has them, else as faked root with the one id that everybody has.
public struct DebianBuilder {
    /// Further packages.
    public var include: [String] = []
    /// By Debian's name; nil for the host's.
    public var architecture: String?
    /// As mmdebstrap has them: `minbase`, `standard`, `extract` and so on.
    public var variant = "minbase"
    /// Where to get it from; nil for what this host's apt uses.
    public var mirror: String?
    /// A file of keys to trust instead of the installed ones.
    public var keyring: String?
    /// A file of the host's that is run in the finished root, as its root.
    public var script: String?
    let progress: ProgressReport

    public init(progress: ProgressReport) { self.progress = progress }

    /// Builds the release `suite`. The rootfs appears whole or not at all.
    public func build(_ suite: String, to destination: Destination) throws {
        try checkInstalled()
        let script = try script.map { try RootScript($0) }
        let tree = try PartialTree(for: destination, isShared: script != nil) { [progress] in
            progress.note($0)
        }
        let power = NamespaceTool.Power.available()
        try fill(tree, suite, power)
        if let script {
            progress.begin("running \(script.name)")
            var run = TreeRun(tree: tree.root, power: power)
            run.architecture = architecture
            run.script = script.path
            try run.run(script.command, cannot: "run", script.name) { progress.say($0) }
        }
        // Programs in the namespace have set them for its root, which is the caller.
        try SetIDBits().remove(from: tree.root, tree.path)
        var image = ImageRecord()
        image.suite = suite
        image.architecture = architecture ?? TreeFacts(of: tree.root).architecture
        image.origin = "debian \(suite) \(variant)"
        try tree.commit(image)
        progress.end()
    }

    /// Has mmdebstrap(1) fill an empty tree.
    func fill(_ tree: PartialTree, _ suite: String, _ power: NamespaceTool.Power) throws {
        try checkInstalled()
        let mirrors = mirror.map { [$0] } ?? AptMirrors.configured()
        progress.begin("building Debian \(suite)")
        let command = arguments(suite, tree.path, mirrors, power)
        var stage = Stage()
        // Where packages are only extracted, none of their programs runs.
        let emulated = variant == "extract" ? nil : architecture
        // mmdebstrap leaves some of its temporary files, and all of them when it is killed.
        let scratch = try ScratchDirectory(isShared: true)
        let tool = NamespaceTool(
            power: power, architecture: emulated, environment: [("TMPDIR", scratch.path)])
        var isUnknown = false
        do {
            try withExtendedLifetime(scratch) {
                try tool.run(command, cannot: "build Debian", description(of: suite)) { line in
                    stage.see(line, progress)
                    // apt's words.
                    if line.contains("does not have a Release file") { isUnknown = true }
                }
            }
        } catch let error as RootFilesystemError where isUnknown {
            throw noSuite(suite, error)
        }
        try check(tree, suite)
        try finish(tree)
    }

    private func noSuite(_ suite: String, _ error: RootFilesystemError) -> RootFilesystemError {
        let near = RootfsStore.nearestSuite(to: ByteString(suite))
        return RootFilesystemError(
            cannot: error.operation, error.object, because: "the mirror has no suite \(suite)",
            remedy: near.map { "did you mean \($0.text)?" }
                ?? "name a release that it carries, or another mirror with --mirror")
    }

    private func description(of suite: String) -> String {
        architecture.map { "\(suite) for \($0)" } ?? suite
    }

    private func checkInstalled() throws {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let isThere = path.split(separator: ":").contains { access("\($0)/mmdebstrap", X_OK) == 0 }
        if !isThere {
            throw RootFilesystemError(
                cannot: "build Debian", variant, because: "mmdebstrap is not installed",
                remedy: "install it: apt install mmdebstrap; without it, nsrun-rootfs unpack and "
                    + "nsrun-rootfs import make a rootfs from packages or images")
        }
    }

    private func arguments(
        _ suite: String, _ path: String, _ mirrors: [String], _ power: NamespaceTool.Power
    ) -> [String] {
        var words = ["mmdebstrap", "--mode=root", "--variant=\(variant)"]
        // Device nodes cannot be made, and are not missed: every run brings its own /dev.
        if power != .root { words.append("--skip=chroot/mount/dev") }
        // apt looks whether its change of user took effect, which faked calls have not.
        if power == .fakedRoot { words.append("--aptopt=APT::Sandbox::User \"root\"") }
        for setting in AptMirrors.proxySettings() { words.append("--aptopt=\(setting)") }
        // A mirror that is kept for repeatable builds has Release files of the past.
        words.append("--aptopt=Acquire::Check-Valid-Until \"false\"")
        if let architecture {
            // The run brings its own emulator, which mmdebstrap would look for with arch-test.
            words += ["--architectures=\(architecture)", "--skip=check/qemu"]
        }
        if !include.isEmpty { words.append("--include=\(include.joined(separator: ","))") }
        if let keyring { words.append("--keyring=\(keyring)") }
        return words + [suite, path] + mirrors
    }

    /// apt calls it a success when the mirror has no packages at all for an architecture.
    private func check(_ tree: PartialTree, _ suite: String) throws {
        func size(of path: EntryPath) -> Int? {
            let opened = tree.root.open(path, O_RDONLY | O_NONBLOCK)
            let file = try? Descriptor(opened, cannot: "open", path.printable)
            return (try? file?.status(cannot: "examine", path.printable))?.st_size
        }
        let hasPackages = (size(of: EntryPath("var/lib/dpkg/status")) ?? 0) > 1000
        let hasPrograms =
            size(of: EntryPath("usr/bin/dpkg")) != nil || variant == "extract"
            || variant == "custom"
        guard hasPackages || variant == "extract", hasPrograms else {
            throw RootFilesystemError(
                cannot: "build Debian", description(of: suite),
                because: "the mirror has no packages for it",
                remedy: "choose a release and an architecture that the mirror carries, or another "
                    + "mirror with --mirror")
        }
    }

    /// What every rootfs should have: a directory that others can enter, and the usual `hosts`.
    private func finish(_ tree: PartialTree) throws {
        fchmod(tree.lock.number, 0o755)
        // Packages may have made links of either.
        guard let etc = try? tree.root.openDirectory(EntryPath("etc"), cannot: "open") else {
            return
        }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let opened = openat(etc.number, "hosts", flags, 0o644)
        guard let hosts = try? Descriptor(opened, cannot: "create", "/etc/hosts") else { return }
        let text = Array("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".utf8)
        guard write(hosts.number, text, text.count) == text.count else {
            throw RootFilesystemError(cannot: "write", "/etc/hosts", errno: errno)
        }
    }

    /// Follows mmdebstrap's own account of what it does.
    private struct Stage {
        private static let steps: [(text: String, percent: Int64)] = [
            ("running apt-get update", 5), ("downloading packages", 15),
            ("extracting archives", 35),
            ("installing essential packages", 55), ("installing remaining packages", 75),
            ("cleaning package lists", 95),
        ]
        private var shown = 0

        mutating func see(_ line: String, _ progress: ProgressReport) {
            guard let index = Self.steps.firstIndex(where: { line.contains($0.text) }),
                index >= shown
            else { return }
            shown = index + 1
            progress.advance(to: Self.steps[index].percent, of: 100, Self.steps[index].text)
        }
    }
}
