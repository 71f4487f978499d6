import NamespaceKit

/// The command `nsrun`: reads the command line, plans, and launches.
public enum LaunchTool {
    public static let version = "0.1.0"

    /// Runs the tool with the arguments of this process. Returns the exit status.
    public static func run() -> Int32 {
        let arguments = HostProcess.arguments
        Vocabulary.current = .commandLine
        do throws(UsageError) {
            let line = try Parser.parse(Array(arguments.dropFirst()))
            return perform(try RequestBuilder.build(line))
        } catch {
            report(error.message, error.remedy)
            return 125
        }
    }

    private static func perform(_ invocation: Invocation) -> Int32 {
        switch invocation.action {
        case .help: HostProcess.print(Help.text)
        case .version: HostProcess.print("nsrun \(version)\n")
        case .doctor: return doctor()
        case .generate(let kind): return generate(kind)
        case .launch, .explain: return launch(invocation)
        }
        return 0
    }

    private static func launch(_ invocation: Invocation) -> Int32 {
        do throws(LaunchError) {
            let facts = HostFacts.read(for: invocation.request)
            let role: Planner.Role = invocation.isVerbose ? .parent : .replaceable
            var plan = try Planner.plan(invocation.request, on: facts, as: role)
            if case .explain(let json) = invocation.action {
                HostProcess.print(json ? Explanation(plan).json : Explanation(plan).text)
                return 0
            }
            plan.tracesSteps = invocation.isVerbose
            if plan.shape == .inPlace { try Launcher().runInPlace(plan, facts: facts) }
            return try Supervisor.run(plan, facts: facts)
        } catch {
            report(error.message, error.remedy)
            return error.exitStatus
        }
    }

    private static func doctor() -> Int32 {
        let findings = Doctor.examine()
        var text = ""
        for finding in findings { text += finding.text }
        HostProcess.print(text)
        return findings.contains { !$0.works && $0.isEssential } ? 1 : 0
    }

    private static func generate(_ kind: ByteString) -> Int32 {
        switch kind {
        case "man": HostProcess.print(ManualPage.text)
        case "bash": HostProcess.print(Completions.bash)
        case "zsh": HostProcess.print(Completions.zsh)
        case "fish": HostProcess.print(Completions.fish)
        default:
            report("--generate: unknown kind \"\(kind.text)\"", "man, bash, zsh or fish")
            return 125
        }
        return 0
    }

    private static func report(_ message: String, _ remedy: String?) {
        var text = "nsrun: \(message)\n"
        if let remedy { text += "  \(remedy)\n" }
        HostProcess.printError(text)
    }
}
