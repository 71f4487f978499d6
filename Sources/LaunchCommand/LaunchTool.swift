// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import PackedProgram

/// The command `nsrun`: reads the command line, plans, and launches.
public struct LaunchTool {
    /// The bubblewrap whose manners the name `bwrap` calls for.
    static let bubblewrapVersion = "0.13.1"

    /// Bytes. The kernel would end this program without a word where it wants more of its stack than there is.
    private static let leastStack: UInt64 = 128 << 10
    /// Likewise; this program's own file lies in it.
    private static let leastMemory: UInt64 = 7 << 20

    let personality: Personality
    private var hasLevelPrefix = false

    /// Runs the tool with the arguments of this process. Returns the exit status.
    public static func run() -> Int32 {
        guard HostProcess.stackLimit >= leastStack else {
            HostProcess.printError(
                "nsrun: cannot start: a stack of \(HostProcess.stackLimit / 1024) KiB is too small\n"
                    + "  raise its limit (ulimit -s) to \(leastStack / 1024) KiB or more; a command's own is "
                    + "set by --rlimit stack=BYTES\n")
            return 125
        }
        guard HostProcess.memoryLimit >= leastMemory else {
            HostProcess.printError(
                "nsrun: cannot start: an address space of \(HostProcess.memoryLimit / 1024) KiB is too small\n"
                    + "  raise its limit (ulimit -v) to \(leastMemory / 1024) KiB or more; a command's own is "
                    + "set by --rlimit as=BYTES\n")
            return 125
        }
        if let status = EngineTools.standIn() { return status }
        if let status = EngineTools.runAsHelper(HostProcess.arguments) { return status }
        HostProcess.heedChildren()
        let packed: PackedProgram?
        do throws(LaunchError) {
            packed = try PackedProgram.find()
        } catch {
            return LaunchTool(personality: Personality(argument0: "nsrun")).fail(
                error.message, error.remedy, error.exitStatus)
        }
        let arguments = packed?.arguments ?? HostProcess.arguments
        OptionNames.current = .commandLine
        let file = packed == nil ? HostFile.ownName : nil
        var tool = LaunchTool(
            personality: Personality(argument0: arguments.first ?? "nsrun", file: file))
        if tool.personality.isApptainer, packed == nil {
            return ApptainerTool.run(Array(arguments.dropFirst()))
        }
        do throws(UsageError) {
            var line = try Parser.parse(Array(arguments.dropFirst()), as: tool.personality)
            tool.hasLevelPrefix = line.hasLevelPrefix
            if tool.personality.isBubblewrap, line.asksForNothing {
                HostProcess.printError(Help(tool.personality).text)
                return tool.personality.status(125)
            }
            let joinsByName = packed == nil ? try tool.takeOptionsOfGroup(&line) : false
            var invocation = try RequestBuilder.build(line, as: tool.personality)
            invocation.joinsByName = joinsByName
            tool.nameGroup(of: &invocation, isPacked: packed != nil)
            try tool.applyImageSettings(to: &invocation)
            try tool.checkCommand(of: invocation)
            // Whoever packed the program did not know where it would be started.
            if packed != nil {
                invocation.request.files.leavesOutMissing = true
                invocation.standardEngine = .automatic
            }
            return tool.perform(invocation)
        } catch {
            if error.hasLevelPrefix { tool.hasLevelPrefix = true }
            let words = tool.personality.isBubblewrap ? error.bubblewrap : nil
            return tool.fail(words ?? error.message, error.remedy, 125)
        }
    }

    /// Where the command is no shell, and something is run or explained.
    private func applyImageSettings(to invocation: inout Invocation) throws(UsageError) {
        switch invocation.action {
        case .launch, .explain: break
        case .help, .shortHelp, .version, .doctor, .kernel, .presets, .generate, .list, .stop:
            return
        }
        if invocation.startsShell, invocation.request.program.command.isEmpty { return }
        do throws(LaunchError) {
            let warning = try invocation.request.useImageSettings(
                isForEntryPoint: invocation.usesEntryPoint)
            if let warning { invocation.warnings.append(warning) }
        } catch {
            throw UsageError(error.message, remedy: error.remedy)
        }
    }

    /// A shell is for somebody at a terminal: in a script an option may have taken the command for its value.
    private func checkCommand(of invocation: Invocation) throws(UsageError) {
        guard invocation.action == .launch, !personality.isBubblewrap,
            invocation.request.program.command.isEmpty,
            invocation.isDetached || !HostProcess.isTerminal(0)
        else { return }
        // Among them why an image's own is not run.
        for warning in invocation.warnings { warn(warning, invocation) }
        var remedy = "name one: nsrun [OPTION]... -- COMMAND; without it a terminal gets a shell"
        // What names a root or a preset was hardly meant as a command.
        if let last = invocation.options.last, let value = last.values.last,
            last.id != .root(.rootfs), last.id != .general(.preset)
        {
            let name = last.option.arguments.text.split(separator: " ").last ?? "value"
            remedy = "\(last.origin.text) has taken \(value.text) for its \(name); \(remedy)"
        }
        throw UsageError("there is no command", remedy: remedy)
    }

    /// A word where the command stands may be the name of a root.
    func hint(for error: LaunchError, _ invocation: Invocation) -> String? {
        guard error.kind == .notFound, invocation.request.root.view == .host,
            let word = invocation.request.program.command.first,
            let hint = RootfsStore.hint(for: word)
        else { return error.advice }
        return hint
    }

    private func perform(_ invocation: Invocation) -> Int32 {
        for warning in invocation.warnings { warn(warning, invocation) }
        do throws(LaunchError) {
            switch invocation.action {
            case .help: try HostProcess.print(Help(personality).text)
            case .shortHelp: try HostProcess.print(ShortHelp.text)
            case .presets: try HostProcess.print(PresetFile.list)
            case .version:
                try HostProcess.print(
                    personality.isBubblewrap
                        ? "bubblewrap \(LaunchTool.bubblewrapVersion)\n"
                        : "nsrun \(nsrunVersion)\n")
            case .kernel:
                let kernel = HostFacts.read(for: LaunchRequest()).kernel
                try HostProcess.print("\(kernel.major).\(kernel.minor)\n")
            case .doctor: return try doctor()
            case .generate(let kind): return try generate(kind)
            case .list(let json):
                try HostProcess.print(KeptText(try KeptWorld.list(), json: json).text)
            case .stop(let name):
                try KeptWorld.stop(
                    name, killAfter: invocation.request.lifecycle.killAfter ?? 10_000_000_000)
            case .launch where invocation.isDetached: try detach(invocation)
            case .explain where invocation.isDetached:
                return try launchByEngine(detached(invocation)).status()
            case .launch, .explain: return try launchByEngine(invocation).status()
            }
            return 0
        } catch {
            guard personality.isBubblewrap else {
                return fail(error.message, hint(for: error, invocation), error.exitStatus)
            }
            return fail(error.asBubblewrap, error.remedyAsBubblewrap, error.exitStatus)
        }
    }

    func warn(_ text: String, _ invocation: Invocation) {
        if invocation.isQuiet { return }
        HostProcess.printError("\(hasLevelPrefix ? "<4>" : "")\(personality.prefix)\(text)\n")
    }

    /// Launches with namespaces. `isFinal`: no other engine would follow a refusal.
    func start(_ invocation: Invocation, isFinal: Bool) throws(LaunchError) -> RunEnd {
        var request = invocation.request
        return try request.attempt { (request, isRepeatable) throws(LaunchError) in
            var invocation = invocation
            if request.namespaces.proc != invocation.request.namespaces.proc {
                warn(
                    "parts of the outer /proc are masked: it is shown as it is, with its processes and "
                        + "their numbers, for none of the run's own can be had", invocation)
            }
            invocation.request = request
            return try start(invocation, isFinal: isFinal, isRepeatable: isRepeatable)
        }
    }

    private func start(
        _ invocation: Invocation, isFinal: Bool, isRepeatable: Bool
    ) throws(LaunchError) -> RunEnd {
        let facts = HostFacts.read(for: invocation.request)
        // bubblewrap always stays, and gives a signal's end as a status.
        let stays =
            invocation.isVerbose || personality.isBubblewrap || isRepeatable
            || invocation.isDetached
        let role: Planner.Role = stays ? .watcher : .replaceable
        var plan = try Planner.plan(invocation.request, on: facts, as: role)
        // What has become of this process by a late refusal could not be taken back.
        if plan.shape == .inPlace, !isFinal, facts.mayRefuseLate {
            plan = try Planner.plan(invocation.request, on: facts, as: .watcher)
        }
        if case .explain(let json) = invocation.action {
            try HostProcess.print(json ? Explanation(plan).json : Explanation(plan).text)
            return .exited(0)
        }
        plan.isAttempt =
            !isFinal || isRepeatable || !invocation.request.namespaces.optional.isEmpty
        plan.tellsMetLimits = !invocation.isQuiet
        plan.detach(tellingStartTo: invocation.startDescriptor)
        plan.messagePrefix = ByteString((hasLevelPrefix ? "<3>" : "") + personality.prefix)
        if personality.isBubblewrap { plan.failureWords = "execvp " }
        plan.failureStatus = personality.status(126)
        prepareTrace(&plan, invocation)
        if plan.shape == .inPlace {
            do throws(LaunchError) {
                try Launcher().runInPlace(plan, facts: facts)
            } catch {
                throw error.inPlace
            }
        }
        return try Supervisor.run(plan, facts: facts)
    }

    func prepareTrace(_ plan: inout LaunchPlan, _ invocation: Invocation) {
        guard invocation.isVerbose else { return }
        plan.tracesSteps = true
        for omission in plan.omissions {
            HostProcess.printError("nsrun: left out \(omission.what.text): \(omission.reason)\n")
        }
    }

    private func doctor() throws(LaunchError) -> Int32 {
        let findings = Doctor.examine(mayMove: true)
        var text = ""
        for finding in findings { text += finding.text }
        try HostProcess.print(text)
        return findings.contains { !$0.works && $0.isEssential } ? 1 : 0
    }

    private func generate(_ kind: ByteString) throws(LaunchError) -> Int32 {
        switch kind {
        case "man": try HostProcess.print(ManualPage.text)
        case "bash": try HostProcess.print(Completions.bash)
        case "zsh": try HostProcess.print(Completions.zsh)
        case "fish": try HostProcess.print(Completions.fish)
        default:
            return fail(
                "--generate: unknown kind \"\(kind.text)\"", "one of man, bash, zsh, fish", 125)
        }
        return 0
    }

    /// Says what failed, and returns the exit status for it.
    func fail(_ message: String, _ remedy: String?, _ status: Int32) -> Int32 {
        let level = hasLevelPrefix ? "<3>" : ""
        var text = "\(level)\(personality.prefix)\(message)\n"
        if let remedy { text += "\(level)  \(remedy)\n" }
        HostProcess.printError(text)
        return personality.status(status)
    }
}
