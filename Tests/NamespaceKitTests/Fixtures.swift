// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit

extension HostFacts {
    /// A user at her desk.
    static var alice: HostFacts {
        var facts = HostFacts()
        facts.currentDirectory = "/home/alice/work"
        facts.environment = ["HOME=/home/alice", "PATH=/usr/local/bin:/usr/bin", "SHELL=/bin/zsh"]
        facts.account = Account(
            name: "alice", home: "/home/alice", shell: "/bin/zsh", groupName: "users")
        facts.groupFolder = .found("/run/user/1000/nsrun")
        return facts
    }
}

extension LaunchRequest {
    static func rootfs(_ layer: Layer = .readOnly, command: [ByteString] = ["true"]) -> Self {
        var request = LaunchRequest(command: command)
        request.root.view = .rootfs("/srv/debian")
        request.root.layer = layer
        return request
    }

    /// The same with a change.
    func with(_ change: (inout LaunchRequest) -> Void) -> LaunchRequest {
        var request = self
        change(&request)
        return request
    }
}

func plan(
    _ request: LaunchRequest, on facts: HostFacts = .alice, as role: Planner.Role = .parent
) throws(LaunchError) -> LaunchPlan {
    return try Planner.plan(request, on: facts, as: role)
}

/// What the planner says against a request, or nil where it has no objection.
func refusal(_ request: LaunchRequest, on facts: HostFacts = .alice) -> LaunchError? {
    do throws(LaunchError) {
        _ = try plan(request, on: facts)
        return nil
    } catch {
        return error
    }
}

/// What the command would find mounted: a line `PATH: SOURCE ACCESS` each.
func sees(_ request: LaunchRequest, on facts: HostFacts = .alice) throws -> [String] {
    MountTree(try plan(request, on: facts)).sorted.map {
        "\($0.path.text): \($0.source) \($0.access.rawValue)"
    }
}

/// What the executor reports about an action, in a message: after the plan's own root was put together,
/// or after the given actions instead.
func diagnose(
    _ action: Step.Action, after earlier: [Step.Action]? = nil, _ code: Int32,
    _ call: UInt32 = 0, text: [UInt8] = [], on facts: HostFacts = .alice,
    request: LaunchRequest = .rootfs()
) throws -> LaunchError {
    var plan = try plan(request, on: facts)
    let earlier = earlier ?? Array(plan.actions.prefix { $0 != .enterRoot })
    plan.steps = (earlier + [action]).map { Step(action: $0) }
    return Diagnosis(plan: plan, facts: facts)
        .explain(.init(step: earlier.count, code: code, call: call, text: text))
}

extension LaunchPlan {
    var actions: [Step.Action] { steps.map(\.action) }

    /// The actions without those that every run has alike.
    var particular: [Step.Action] { actions.filter { !$0.isOfEveryRun } }

    /// The steps in words, a line each.
    var transcript: String { steps.map { $0.description + "\n" }.joined() }

    /// What the command's path may be, in order.
    var programs: [ByteString]? {
        guard case .execute(let candidates) = steps.last?.action else { return nil }
        return candidates
    }

    var capabilities: Step.CapabilitySets? {
        for case .capabilities(let sets) in actions { return sets }
        return nil
    }
}

extension Step.Action {
    var isOfEveryRun: Bool {
        switch self {
        case .newSession, .limitNamespaces, .stub, .newKeyring: true
        default: false
        }
    }
}

extension LaunchError {
    /// As the user reads it.
    var lines: String { remedy.map { message + "\n  " + $0 } ?? message }
}
