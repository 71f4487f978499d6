// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// Builds one stage: a tree to which each instruction does something, and a key for all that has been done to it.
final class StageBuilder {
    /// What other stages need of one that is built.
    struct Built {
        var tree: PartialTree
        var state: StageState
        var key: String
        var architecture: String
    }

    /// What a build is of, for all its stages.
    struct Surroundings {
        var file: String
        var destination: Destination
        var store: RootFilesystemStore
        var context: BuildContext
        var cache: BuildCache
        /// Those of the command line.
        var arguments: [String: String]
        var maximumSize: Int64
        var progress: ProgressReport
    }

    let plan: BuildPlan
    let index: Int
    let surroundings: Surroundings
    let others: [Int: Built]
    private(set) var built: Built
    private let budget: ExtractionBudget
    /// What was said once.
    private var notes: Set<String> = []

    var stage: BuildPlan.Stage { plan.stages[index] }
    var expansionEscape: Character { plan.escape }
    private var progress: ProgressReport { surroundings.progress }

    init(
        _ plan: BuildPlan, _ index: Int, _ base: Built, _ others: [Int: Built],
        _ surroundings: Surroundings
    ) {
        self.plan = plan
        self.index = index
        self.surroundings = surroundings
        self.others = others
        built = base
        budget = ExtractionBudget(maximum: surroundings.maximumSize, directory: base.tree.lock)
    }

    /// Carries out the instructions, `done` of how many is for progress.
    func build(step: (Containerfile.Instruction) -> Void) throws {
        for instruction in stage.instructions {
            step(instruction)
            do {
                try perform(instruction)
            } catch let error as RootFilesystemError {
                throw error.at(line: instruction.line, of: surroundings.file)
            }
        }
    }

    private func perform(_ instruction: Containerfile.Instruction) throws {
        let line = instruction.line
        let expansion = built.state.expansion(line, expansionEscape)
        switch instruction.action {
        case .from: break
        case .run(let command, let network):
            try run(built.state.words(command), network: network, line)
        case .transfer(let transfer): try copy(transfer, expansion)
        case .environment(let text):
            try built.state.setEnvironment(
                StageState.pairs(text, "ENV", expansion), line: line)
        case .label(let text):
            try built.state.setLabels(StageState.pairs(text, "LABEL", expansion), line: line)
        case .argument(let text): try declare(text, expansion)
        case .directory(let text):
            let path = built.state.absolute(try expansion.text(text))
            built.state.record.workingDirectory = path
            try makeDirectory(path)
        case .user(let text):
            let user = try expansion.text(text)
            guard !user.isEmpty else { throw ContainerfileError(line, "USER names nobody") }
            built.state.record.user = user
        case .shell(let words): built.state.shell = words
        case .entryPoint(let command): built.state.setEntryPoint(command)
        case .command(let command): built.state.setCommand(command)
        case .nothing(let keyword):
            note("\(keyword) means nothing to nsrun (line \(line))")
        }
    }

    private func note(_ text: String) {
        if notes.insert(text).inserted { progress.note(text) }
    }

    private func declare(_ text: String, _ expansion: VariableExpansion) throws {
        for (name, value) in try BuildPlan.declarations(text, expansion) {
            let known = surroundings.arguments[name] ?? value ?? plan.globals[name]
            if let known { built.state.arguments[name] = known }
        }
    }

    // MARK: - The tree

    private func writer() -> TreeWriter {
        let writer = TreeWriter(root: built.tree.root, budget: budget)
        writer.keepsRoot = true
        // What was there before may be replaced.
        writer.beginLayer()
        return writer
    }

    private func makeDirectory(_ path: String) throws {
        let entry = try EntryPath(archived: ByteString(path))
        extend(["directory", path])
        let opened = built.tree.root.open(entry, O_RDONLY | O_DIRECTORY)
        if (try? Descriptor(opened, cannot: "open", path)) != nil { return }
        let writer = writer()
        // Those that lead to a place are made with it.
        _ = try writer.slot(for: entry.appending(ByteString("x")))
        try writer.finish()
    }

    /// What comes of a step depends on all before it, and on what it says itself.
    private func extend(_ parts: [String]) {
        built.key = Self.key(built.key, parts)
    }

    static func key(_ before: String, _ parts: [String]) -> String {
        var hash = SHA256()
        for part in [before] + parts {
            hash.update(Array("\(part.utf8.count) \(part)\n".utf8))
        }
        return hash.finish()
    }

    // MARK: - RUN

    private func run(_ words: [String], network: String?, _ line: Int) throws {
        guard !words.isEmpty else { throw ContainerfileError(line, "RUN takes a command") }
        var run = TreeRun(tree: built.tree.root)
        run.environment = environment()
        run.directory = built.state.record.workingDirectory ?? "/"
        if network == "none" { run.network = .none }
        if built.architecture != Platform.host { run.architecture = built.architecture }
        if let user = built.state.record.user {
            run.account = try account(user, line)
        }
        extend(
            ["run", run.directory, network ?? "", built.state.record.user ?? ""]
                + ["\(words.count)"] + words + run.environment)
        if let layer = try surroundings.cache.find(built.key) {
            return try apply(layer)
        }
        let root = try built.tree.lock.status(cannot: "examine", built.tree.path)
        let draft = try surroundings.cache.draft(built.key, mode: root.st_mode & 0o7777)
        run.layer = (draft.upper, draft.work)
        // What a proxy is has nothing to do with what comes of it.
        for name in BuildPlan.proxies {
            if let value = surroundings.arguments[name] {
                run.environment.append("\(name)=\(value)")
            }
        }
        try run.run(words, cannot: "run", words.last ?? "") { [progress] in progress.say($0) }
        try apply(draft.layer())
        try draft.commit()
    }

    private func account(_ user: String, _ line: Int) throws(ContainerfileError) -> RootAccount {
        do throws(RootAccount.Unknown) {
            return try RootAccount(ByteString(user), of: ByteString(built.tree.root.path))
        } catch {
            throw ContainerfileError(
                line, "the root has no user or group \(user), who is to run it")
        }
    }

    /// ENV, and ARG where ENV says nothing.
    private func environment() -> [String] {
        let own = built.state.record.environment
        let names = Set(own.map { $0.prefix { $0 != "=" } })
        return built.state.arguments.filter { !names.contains($0.key[...]) }
            .map { "\($0.key)=\($0.value)" }.sorted() + own
    }

    private func apply(_ layer: OverlayLayer) throws {
        let writer = writer()
        try layer.apply(to: writer)
        try writer.finish()
    }

    // MARK: - COPY and ADD

    private func copy(
        _ transfer: Containerfile.Transfer, _ expansion: VariableExpansion
    ) throws {
        let line = expansion.line
        var words: [String] = []
        for path in transfer.paths {
            words += transfer.isList ? [try expansion.text(path)] : try expansion.words(path)
        }
        let keyword = transfer.unpacks ? "ADD" : "COPY"
        guard words.count > 1, let target = words.popLast(), !target.isEmpty else {
            throw ContainerfileError(line, "\(keyword) takes files, and where to put them")
        }
        let mode = try mode(transfer.mode, expansion)
        if let owner = transfer.owner, !["root", "0", "root:root", "0:0"].contains(owner) {
            note("every file is root's: --chown=\(owner) is passed over (line \(line))")
        }
        if let web = words.first(where: { transfer.unpacks && Self.isRemote($0) }) {
            throw ContainerfileError(
                line, "ADD of what is elsewhere (\(web)) is not known",
                remedy: "fetch it in a RUN, or before the build")
        }
        let (context, key) = try self.context(transfer.from, line)
        var copying = TreeTransfer(
            context: context, unpacks: transfer.unpacks, mode: mode, root: built.tree.root)
        try copying.find(words, line: line)
        try copying.setTarget(built.state.absolute(target), asWritten: target)
        guard copying.isDirectory || copying.sources.count == 1 else {
            throw ContainerfileError(
                line, "several files go into a directory: \(target) does not end in /")
        }
        extend(
            [keyword, target, built.state.record.workingDirectory ?? "/", transfer.mode ?? ""]
                + words + [try key ?? copying.digest()])
        let writer = writer()
        writer.keepsLinksToDirectories = true
        try copying.write(to: writer)
        try writer.finish()
    }

    private static func isRemote(_ word: String) -> Bool {
        ["http://", "https://", "ftp://", "git://", "git@", "ssh://"].contains {
            word.lowercased().hasPrefix($0)
        }
    }

    private func mode(_ text: String?, _ expansion: VariableExpansion) throws -> UInt32? {
        guard let text else { return nil }
        let value = try expansion.text(text)
        guard let mode = UInt32(value, radix: 8), mode <= 0o7777 else {
            throw ContainerfileError(
                expansion.line, "--chmod takes an octal number, and \(value) is none")
        }
        return mode
    }

    /// Where files come from; and, of a root that is built already, what it came of.
    private func context(_ from: String?, _ line: Int) throws -> (BuildContext, key: String?) {
        guard let from else { return (surroundings.context, nil) }
        switch plan.origin(from, before: index, mayBeNumber: true) {
        case .nothing: throw ContainerfileError(line, "there is nothing to copy in scratch")
        case .stage(let other):
            guard let built = others[other] else {
                throw ContainerfileError(line, "the stage \(from) is not built")
            }
            return (BuildContext(built.tree.root), built.key)
        case .image(let image):
            let base = try BaseImage(image, surroundings, architecture: built.architecture).make()
            // The tree goes with the context.
            return (BuildContext(base.tree.root, keeping: base.tree), base.key)
        }
    }
}
