// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Builds a rootfs as a Containerfile says: without root, and with the caller's one id. What RUN runs has the root of its
/// own that nsrun gives it, in which chown and its like appear to succeed: every file is root's, as it is in every rootfs
/// of the caller's.
public struct ImageBuilder {
    /// What ARG may take, by name.
    public var arguments: [String: String] = [:]
    /// Where COPY and ADD find files; nil for the directory of the Containerfile.
    public var context: String?
    /// By Debian's name.
    public var architecture: String = Platform.host
    /// The most bytes that an image, and what each stage adds to it, may unfold into.
    public var maximumSize = ExtractionBudget.defaultBytes
    let store: RootFilesystemStore
    let progress: ProgressReport

    public init(store: RootFilesystemStore, progress: ProgressReport) {
        self.store = store
        self.progress = progress
    }

    /// Takes `NAME=VALUE`, or `NAME` for what the environment has, as podman does.
    public mutating func setArguments(
        _ words: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        for word in words {
            let parts = word.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard !name.isEmpty else {
                throw RootFilesystemError(
                    cannot: "use", "--build-arg \(word)", because: "it is not NAME=VALUE")
            }
            arguments[name] = parts.count > 1 ? String(parts[1]) : environment[name]
        }
    }

    /// Builds the last stage of `file`, and those that it needs. The rootfs appears whole or not at all.
    public func build(_ file: String, to destination: Destination) throws {
        if destination.isTaken { throw destination.alreadyExists }
        do {
            let text = try RecipeText.read(
                file, limit: ContainerfileLines.largestFile, as: "a Containerfile")
            let plan = try BuildPlan(
                Containerfile(text), arguments: arguments, architecture: architecture)
            try build(plan, file, destination)
        } catch let error as ContainerfileError {
            throw error.described(in: file)
        }
    }

    private func build(_ plan: BuildPlan, _ file: String, _ destination: Destination) throws {
        for name in plan.unknownArguments {
            progress.note("--build-arg \(name): there is no ARG of that name")
        }
        let surroundings = StageBuilder.Surroundings(
            file: file, destination: destination, store: store,
            context: try BuildContext(context ?? PathParts.split(file).holder, of: file),
            cache: try BuildCache(), arguments: arguments, maximumSize: maximumSize,
            progress: progress)
        var stages: [Int: StageBuilder.Built] = [:]
        let total = plan.needed.reduce(0) { $0 + plan.stages[$1].instructions.count }
        var done = 0
        for index in plan.needed {
            let base = try begin(plan, index, stages, surroundings)
            let builder = StageBuilder(plan, index, base, stages, surroundings)
            try builder.build { instruction in
                done += 1
                let text = instruction.text.prefix(120)
                progress.begin("step \(done) of \(total): \(text)")
            }
            stages[index] = builder.built
        }
        guard let last = plan.needed.last, let built = stages[last] else { return }
        var record = built.state.record.portable
        record.origin = "build \(file)"
        let facts = TreeFacts(of: built.tree.root)
        record.suite = facts.suite
        record.architecture = facts.architecture ?? built.architecture
        try built.tree.commit(record)
        progress.end()
    }

    /// The tree that a stage begins with.
    private func begin(
        _ plan: BuildPlan, _ index: Int, _ stages: [Int: StageBuilder.Built],
        _ surroundings: StageBuilder.Surroundings
    ) throws -> StageBuilder.Built {
        let stage = plan.stages[index]
        do {
            switch plan.origin(stage.image, before: index, mayBeNumber: false) {
            case .nothing:
                let tree = try PartialTree(for: surroundings.destination, isShared: true) {
                    progress.note($0)
                }
                fchmod(tree.lock.number, 0o755)
                return StageBuilder.Built(
                    tree: tree, state: StageState(), key: "scratch",
                    architecture: try architecture(of: stage))
            case .stage(let other):
                guard var base = stages[other] else {
                    throw ContainerfileError(stage.line, "the stage \(stage.image) is not built")
                }
                let source = try TreeReader(base.tree.lock, path: base.tree.path)
                base.tree = try PartialTree(for: surroundings.destination, isShared: true) {
                    progress.note($0)
                }
                let writer = TreeWriter(
                    root: base.tree.root,
                    budget: ExtractionBudget(maximum: maximumSize, directory: base.tree.lock))
                try writer.writeAll(from: source)
                try writer.finish()
                base.state.startStage()
                return base
            case .image(let name):
                return try BaseImage(
                    name, surroundings, architecture: architecture(of: stage)
                ).make()
            }
        } catch let error as RootFilesystemError {
            throw error.at(line: stage.line, of: surroundings.file)
        }
    }

    /// What FROM --platform says, or what is asked for.
    private func architecture(of stage: BuildPlan.Stage) throws -> String {
        guard let platform = stage.platform, !platform.isEmpty else { return architecture }
        let parts = platform.split(separator: "/").map(String.init)
        guard parts.count > 1, parts.count < 4, parts[0] == "linux" else {
            throw ContainerfileError(
                stage.line, "FROM --platform=\(platform) is not for linux",
                remedy: "it is linux/ARCHITECTURE, such as linux/arm64")
        }
        return Platform(architecture: parts[1]).debianName
    }
}

extension RootFilesystemError {
    /// Whatever went wrong, the line is what one looks for.
    func at(line: Int, of file: String) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "build", file,
            because: "line \(line): cannot \(operation) \(object.harmlessLine): \(cause)",
            remedy: remedy)
    }
}
