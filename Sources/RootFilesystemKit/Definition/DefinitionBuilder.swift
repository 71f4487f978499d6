// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Builds a rootfs as a definition file says: without root, and with the caller's one id, as ``ImageBuilder`` does of a
/// Containerfile. What %post runs has the same root that RUN has.
struct DefinitionBuilder {
    /// What stands for `{{ NAME }}`.
    var arguments: [String: String] = [:]
    /// Whether what is given for no name in the file is said, and no error.
    var allowsUnusedArguments = false
    /// By Debian's name.
    var architecture: String = Platform.host
    var hasHTTPS = true
    var runsTest = true
    /// A rootfs that is there is replaced, and what the image that it begins with says of itself.
    var replaces = false
    var maximumSize = ExtractionBudget.defaultBytes
    let progress: ProgressReport

    init(progress: ProgressReport) { self.progress = progress }

    /// The rootfs appears whole or not at all.
    func build(_ file: String, to destination: Destination) throws {
        do {
            try build(read(file), file, destination)
        } catch let error as ContainerfileError {
            throw error.described(in: file)
        }
    }

    private func read(_ file: String) throws -> DefinitionFile {
        let text = try RecipeText.read(
            file, limit: DefinitionFile.largest, as: "a definition file")
        var used: Set<String> = []
        let definition = try DefinitionFile(text, arguments: arguments, used: &used)
        let unused = arguments.keys.filter { !used.contains($0) }.sorted()
        if !unused.isEmpty {
            let words = "unused build args: \(unused.joined(separator: ", "))"
            guard allowsUnusedArguments else {
                throw RootFilesystemError(
                    cannot: "build", file, because: words,
                    remedy: "--warn-unused-build-args makes a warning of it")
            }
            progress.note(words)
        }
        return definition
    }

    private func build(
        _ definition: DefinitionFile, _ file: String, _ destination: Destination
    ) throws {
        // All that can be told beforehand is told before anything is fetched.
        let plans = try definition.stages.map {
            (source: try DefinitionSource($0), transfers: try DefinitionTransfer.all(in: $0))
        }
        for (index, plan) in plans.enumerated() {
            for transfer in plan.transfers {
                guard let name = transfer.stage else { continue }
                guard definition.stages[..<index].contains(where: { $0.name == name }) else {
                    throw ContainerfileError(
                        transfer.line, "there is no stage \(name.prefix(40)) before it")
                }
            }
        }
        let isReplacing = replaces && destination.exists
        var done: [String: PartialTree] = [:]
        for (index, stage) in definition.stages.enumerated() {
            let plan = plans[index]
            let work = DefinitionStage(
                stage, of: definition, in: file, self, for: destination, replacing: isReplacing)
            let built = try work.build(from: plan.source, copying: plan.transfers, others: done)
            if let name = stage.name { done[name] = built.tree }
            guard index == plans.count - 1 else { continue }
            try SetIDBits().remove(from: built.tree.root, built.tree.path)
            var record = built.record
            record.origin = "build \(file)"
            try built.tree.commit(record, replacing: isReplacing)
        }
        progress.end()
    }
}
