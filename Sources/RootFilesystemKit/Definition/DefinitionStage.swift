// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// The work on one stage of a definition file.
struct DefinitionStage {
    private let stage: DefinitionFile.Stage
    private let definition: DefinitionFile
    private let file: String
    private let settings: DefinitionBuilder
    private let destination: Destination
    private let isReplacing: Bool
    private var progress: ProgressReport { settings.progress }

    init(
        _ stage: DefinitionFile.Stage, of definition: DefinitionFile, in file: String,
        _ settings: DefinitionBuilder, for destination: Destination, replacing: Bool
    ) {
        self.stage = stage
        self.definition = definition
        self.file = file
        self.settings = settings
        self.destination = destination
        isReplacing = replacing
    }

    /// `others` are the trees of the stages before it, by their names.
    func build(
        from source: DefinitionSource, copying transfers: [DefinitionTransfer],
        others: [String: PartialTree]
    ) throws -> (tree: PartialTree, record: ImageRecord) {
        var (tree, record) = try at(line: stage.line) { try begin(source) }
        let facts = TreeFacts(of: tree.root)
        record.suite = record.suite ?? facts.suite
        record.architecture =
            facts.architecture ?? record.architecture ?? settings.architecture
        let contents = try ContainerTree(tree.root, record)
        try at(line: stage.line) { try contents.addPlaces() }
        for name in [DefinitionFile.Section.Name.pre, .setup] {
            guard let section = stage.section(name) else { continue }
            progress.note(
                "%\(name.rawValue) is passed over: nothing of a definition file is run on this host "
                    + "(\(file), line \(section.line))")
        }
        for transfer in transfers {
            progress.begin("copying \(transfer.source)")
            try at(line: transfer.line) {
                let writer = writer(for: tree)
                try transfer.copy(
                    from: transfer.stage.flatMap { others[$0]?.root }, to: writer)
                try writer.finish()
            }
        }
        if let post = stage.section(.post) {
            progress.begin("running %post")
            try at(line: post.line) { try run(post, in: tree, record) }
        }
        try at(line: stage.line) {
            let metadata = DefinitionMetadata(
                stage, text: definition.text, replaces: settings.replaces, progress)
            try metadata.write(to: contents)
        }
        if stage.section(.runscript) != nil {
            (record.entryPoint, record.command) = (["/.singularity.d/runscript"], [])
        }
        if settings.runsTest, let test = stage.section(.test) {
            progress.begin("running %test")
            try at(line: test.line) { try runTest(in: tree, record) }
        }
        return (tree, record)
    }

    /// Whatever goes wrong there is said with the line.
    private func at<Result>(line: Int, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as RootFilesystemError {
            throw error.at(line: line, of: file)
        }
    }

    private func writer(for tree: PartialTree) -> TreeWriter {
        let writer = TreeWriter(
            root: tree.root,
            budget: ExtractionBudget(maximum: settings.maximumSize, directory: tree.lock))
        writer.keepsRoot = true
        writer.keepsLinksToDirectories = true
        // What was there before may be replaced.
        writer.beginLayer()
        return writer
    }

    // MARK: - What it begins with

    private func begin(_ source: DefinitionSource) throws -> (PartialTree, ImageRecord) {
        var tree = try PartialTree(for: destination, replacing: isReplacing, isShared: true) {
            [progress] in progress.note($0)
        }
        var importer = Importer(progress: progress)
        importer.maximumSize = settings.maximumSize
        importer.architecture = settings.architecture
        importer.replaces = isReplacing
        switch source {
        case .nothing:
            fchmod(tree.lock.number, 0o755)
            return (tree, ImageRecord())
        case .local(let path, let image):
            progress.begin("copying \(path)")
            // The name of one in a directory that has several.
            importer.image = image
            let record = try importer.fill(
                &tree, for: destination, from: ImportSource(path))
            return (tree, record.portable)
        case .remote(let reference):
            guard var remote = RemoteImage(reference) else {
                throw RootFilesystemError(
                    cannot: "fetch", reference, because: "it is no image's name")
            }
            remote.verifiesTLS = settings.hasHTTPS
            progress.begin("fetching \(reference)")
            let fetched = try PartialTree(for: destination, replacing: isReplacing) {
                [progress] in progress.note($0)
            }
            let parts = try remote.fetch(
                into: fetched, architecture: settings.architecture, largest: settings.maximumSize,
                progress)
            let record = try importer.fill(
                &tree, for: destination, from: ImportSource(fetched: parts, of: reference))
            withExtendedLifetime(fetched) {}
            return (tree, record.portable)
        case .debian(let suite, let mirror, let include):
            var builder = DebianBuilder(progress: progress)
            builder.include = include
            builder.mirror = mirror
            if settings.architecture != Platform.host {
                builder.architecture = settings.architecture
            }
            // With the one id that %post has.
            try builder.fill(tree, suite, .fakedRoot)
            var record = ImageRecord()
            record.suite = suite
            return (tree, record)
        }
    }

    // MARK: - What it runs

    /// As Apptainer's `exec` does: the image's environment, and then the script.
    private static let prelude = """
        for __nsrun_file in /.singularity.d/env/*.sh; do
            [ ! -f "$__nsrun_file" ] || . "$__nsrun_file"
        done
        unset __nsrun_file
        set +efu
        exec "$@"
        """

    static let environmentPlace = "/.singularity.d/env/91-environment.sh"
    static let labelPlace = ".build.labels"

    /// The shell's words, and what the section has behind its name. All behind `-c` is the program that the script is for.
    static func words(_ section: DefinitionFile.Section) throws(ContainerfileError) -> [String] {
        var words = section.arguments.split(whereSeparator: ContainerfileLines.isBlank)
            .map(String.init)
        guard let index = words.firstIndex(of: "-c") else {
            return ["/bin/sh", "-ex"] + words + [TreeRun.scriptPlace]
        }
        guard index + 1 < words.count else {
            throw ContainerfileError(
                section.line, "there is no program behind the -c of %\(section.name.rawValue)")
        }
        let program = words[(index + 1)...].joined(separator: " ")
        words = words[...index] + ["\(program) \(TreeRun.scriptPlace)"]
        return ["/bin/sh", "-ex"] + words
    }

    private func run(
        _ section: DefinitionFile.Section, in tree: PartialTree, _ record: ImageRecord
    ) throws {
        let scratch = try ScratchDirectory()
        let script = "\(scratch.path)/script"
        try Data(section.text.utf8).write(to: URL(filePath: script))
        var run = self.run(in: tree, record)
        run.script = script
        for name in ["APPTAINER", "SINGULARITY"] {
            run.environment.append("\(name)_ENVIRONMENT=\(Self.environmentPlace)")
            run.environment.append("\(name)_LABELS=/\(Self.labelPlace)")
        }
        try run.run(
            ["/bin/sh", "-c", Self.prelude, "sh"] + Self.words(section), cannot: "run", "%post"
        ) { [progress] in progress.say($0) }
        withExtendedLifetime(scratch) {}
    }

    /// What it changes is nobody's.
    private func runTest(in tree: PartialTree, _ record: ImageRecord) throws {
        let scratch = try PartialTree(for: destination, replacing: isReplacing, isShared: true)
        let layer = (upper: "\(scratch.path)/upper", work: "\(scratch.path)/work")
        let root = try tree.lock.status(cannot: "examine", tree.path)
        try makeDirectories(layer.upper, mode: root.st_mode & 0o7777)
        try makeDirectories(layer.work)
        var run = self.run(in: tree, record)
        run.layer = layer
        try run.run(
            ["/bin/sh", "-c", Self.prelude, "sh", "/.singularity.d/test"], cannot: "run", "%test"
        ) { [progress] in progress.say($0) }
        withExtendedLifetime(scratch) {}
    }

    private func run(in tree: PartialTree, _ record: ImageRecord) -> TreeRun {
        var run = TreeRun(tree: tree.root)
        if let architecture = record.architecture, architecture != Platform.host {
            run.architecture = architecture
        }
        run.environment = ["LANG=C"]
        for name in BuildPlan.proxies {
            if let value = ProcessInfo.processInfo.environment[name] {
                run.environment.append("\(name)=\(value)")
            }
        }
        return run
    }
}
