// SPDX-License-Identifier: Apache-2.0

/// The stages of a Containerfile, and which of them the last one needs. Nothing is looked up.
struct BuildPlan {
    struct Stage {
        /// That of its FROM.
        var line: Int
        /// What FROM says, variables replaced.
        var image: String
        var platform: String?
        var name: String?
        var instructions: [Containerfile.Instruction] = []
    }

    /// Where a stage, or COPY --from, takes files from.
    enum Origin: Equatable {
        case nothing
        /// A stage before it, by its number.
        case stage(Int)
        case image(String)
    }

    private(set) var stages: [Stage] = []
    /// What is to be built, in order; the last one is what is wanted.
    private(set) var needed: [Int] = []
    /// ARG before the first FROM.
    private(set) var globals: [String: String] = [:]
    let escape: Character
    /// What was given on the command line, and is not named anywhere.
    private(set) var unknownArguments: [String] = []

    /// Set for the RUNs of every stage where they are given, whether it declares them or not.
    static let proxies = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"]
        .flatMap { [$0, $0.uppercased()] }

    /// `arguments` are those of the command line, `architecture` is Debian's name of what is built for.
    init(
        _ file: Containerfile, arguments: [String: String], architecture: String
    ) throws(ContainerfileError) {
        escape = file.escape
        let predefined = Self.predefined(architecture)
        globals = predefined
        var declared = Set(Self.proxies + Array(predefined.keys))
        for instruction in file.instructions {
            let values = globals
            let expansion = VariableExpansion(line: instruction.line, escape: escape) { values[$0] }
            switch instruction.action {
            case .from(let image, let platform, let name):
                var stage = Stage(line: instruction.line, image: try expansion.text(image))
                if let platform { stage.platform = try expansion.text(platform) }
                stage.name = name
                guard !stage.image.isEmpty else {
                    throw ContainerfileError(
                        instruction.line, "FROM names no image: \(image) is empty",
                        remedy: "give the variable a value: --build-arg NAME=VALUE")
                }
                stages.append(stage)
            case .argument(let text):
                guard stages.isEmpty else {
                    // Its values are the stage's to say.
                    declared.formUnion(Self.names(text))
                    stages[stages.count - 1].instructions.append(instruction)
                    continue
                }
                for (name, value) in try Self.declarations(text, expansion) {
                    declared.insert(name)
                    globals[name] = arguments[name] ?? value ?? globals[name]
                }
            case .run, .transfer, .environment, .label, .directory, .user, .shell, .entryPoint,
                .command, .nothing:
                guard !stages.isEmpty else {
                    throw ContainerfileError(instruction.line, "there is no FROM before it")
                }
                stages[stages.count - 1].instructions.append(instruction)
            }
        }
        guard let last = stages.indices.last else {
            throw ContainerfileError(1, "there is no FROM in it")
        }
        needed = try need(last)
        unknownArguments = arguments.keys.filter { !declared.contains($0) }.sorted()
    }

    private static func names(_ text: String) -> [String] {
        text.split(whereSeparator: ContainerfileLines.isBlank)
            .map { String($0.prefix { $0 != "=" }) }
    }

    /// `NAME` or `NAME=VALUE` each.
    static func declarations(
        _ text: String, _ expansion: VariableExpansion
    ) throws(ContainerfileError) -> [(name: String, value: String?)] {
        var found: [(name: String, value: String?)] = []
        for word in try expansion.words(text) {
            let parts = word.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
                throw ContainerfileError(
                    expansion.line, "ARG takes NAME or NAME=VALUE, and \(word.prefix(80)) is none")
            }
            found.append((name, parts.count > 1 ? String(parts[1]) : nil))
        }
        return found
    }

    /// What an image's name means in a stage, or to COPY --from: a stage before it, by name or number, before an image.
    func origin(_ name: String, before stage: Int, mayBeNumber: Bool) -> Origin {
        if name == "scratch", !mayBeNumber { return .nothing }
        let known = stages[..<stage].lastIndex { $0.name == name.lowercased() && $0.name != nil }
        if let known { return .stage(known) }
        if mayBeNumber, let number = Int(name), (0..<stage).contains(number) {
            return .stage(number)
        }
        return .image(name)
    }

    private func need(_ last: Int) throws(ContainerfileError) -> [Int] {
        var wanted: Set<Int> = [last]
        // What a stage needs stands before it.
        for index in (0...last).reversed() where wanted.contains(index) {
            if case .stage(let base) = origin(
                stages[index].image, before: index, mayBeNumber: false)
            {
                wanted.insert(base)
            }
            for instruction in stages[index].instructions {
                guard case .transfer(let transfer) = instruction.action, let from = transfer.from
                else { continue }
                if from == stages[index].name {
                    throw ContainerfileError(instruction.line, "a stage cannot copy from itself")
                }
                if case .stage(let other) = origin(from, before: index, mayBeNumber: true) {
                    wanted.insert(other)
                }
            }
        }
        return wanted.sorted()
    }

    /// What every file may ask for: what it is built for, and on.
    private static func predefined(_ architecture: String) -> [String: String] {
        var values: [String: String] = [:]
        for (prefix, name) in [("TARGET", architecture), ("BUILD", Platform.host)] {
            let platform = Platform(debian: name)
            let variant = platform.variant.map { "/\($0)" } ?? ""
            values["\(prefix)PLATFORM"] = "linux/\(platform.architecture)\(variant)"
            values["\(prefix)OS"] = "linux"
            values["\(prefix)ARCH"] = platform.architecture
            values["\(prefix)VARIANT"] = platform.variant ?? ""
        }
        return values
    }
}
