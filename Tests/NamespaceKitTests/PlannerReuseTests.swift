// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Runs that start from a world that is kept: what is made once, and what by each.
@Suite struct PlannerReuseTests {
    private func reusing(
        _ world: Reuse.World = .named("tests"), _ change: (inout LaunchRequest) -> Void = { _ in }
    ) -> LaunchRequest {
        LaunchRequest.rootfs().with {
            $0.reuse = Reuse(world)
            change(&$0)
        }
    }

    private func prepared(
        on facts: HostFacts = .alice, _ change: (inout LaunchRequest) -> Void = { _ in }
    ) throws -> Preparation {
        try #require(try plan(reusing(.named("tests"), change), on: facts).preparation)
    }

    private func actions(_ steps: [Step]) -> [Step.Action] { steps.map { $0.action } }

    @Test func thePlanItselfIsTheColdOne() throws {
        var plan = try plan(reusing())
        let cold = try NamespaceKitTests.plan(.rootfs())
        #expect(plan.preparation != nil && plan.unprepared == nil)
        plan.preparation = nil
        #expect(plan == cold)
    }

    /// Nothing is left out: what a cold launch does is done ahead or by the run.
    @Test(arguments: [false, true])
    func everyStepIsInOneOfTheTwo(isRoot: Bool) throws {
        let request = reusing {
            $0.network = .none
            $0.files.bindsCurrentDirectory = true
            $0.files.showsHostRoot = true
            $0.namespaces.hostname = "inside"
            if isRoot { $0.identity.user = 0 }
            $0.files.operations = [
                FileSystemOperation(
                    .bind(source: .path("/data"), target: "/tmp/data", options: .readOnly)),
                FileSystemOperation(.tmpfs(target: "/srv", mode: 0o755, size: nil)),
                FileSystemOperation(.directory(target: "/srv/a", mode: 0o755)),
                FileSystemOperation(.symlink(text: "x", target: "/opt/y")),
            ]
        }
        let plan = try plan(request)
        let parts = try #require(plan.preparation)
        for action in plan.actions {
            if case .system = action { continue }  // it is made in another way
            #expect(
                actions(parts.ahead).contains(action) || actions(parts.run).contains(action),
                "\(Step(action: action).description)")
        }
    }

    /// What the command may write to is never made once for all.
    @Test func whatIsWrittenToIsTheRuns() throws {
        let parts = try prepared {
            $0.files.operations = [
                FileSystemOperation(.tmpfs(target: "/srv", mode: 0o700, size: 4096))
            ]
        }
        for place: ByteString in ["/tmp", "/var/tmp", "/run", "/home/alice", "/srv", "/dev/shm"] {
            #expect(
                parts.run.contains {
                    if case .tmpfs(place, _, _, _) = $0.action { true } else { false }
                }, "\(place.text)")
        }
        #expect(actions(parts.run).contains(.fileSystem(.devpts, target: "/dev/pts")))
        #expect(actions(parts.run).contains(.fileSystem(.proc, target: "/proc")))
        guard case .keep(let sealed, _, -1) = parts.ahead.last?.action else {
            Issue.record("the last step does not keep the world")
            return
        }
        // Every tmpfs that all have in common is closed.
        for step in parts.ahead {
            if case .tmpfs(let target, _, _, _) = step.action {
                #expect(sealed.contains(target), "\(target.text)")
            }
        }
    }

    /// What says who the run is, and what it may do.
    @Test func whatARunIsItIsByItself() throws {
        let parts = try prepared {
            $0.identity.user = 7
            $0.namespaces.hostname = "inside"
            $0.network = .none
        }
        let run = actions(parts.run)
        #expect(run.contains(.write(text: "7 1000 1\n", file: "/proc/self/uid_map")))
        #expect(run.contains(.hostname("inside")) && run.contains(.raiseLoopback))
        #expect(run.contains(.noNewPrivileges) && run.contains(.newKeyring))
        // The world has the caller's own id, whatever that is called in the run.
        #expect(
            actions(parts.ahead).prefix(3) == [
                .write(text: "deny", file: "/proc/self/setgroups"),
                .write(text: "1000 1000 1\n", file: "/proc/self/gid_map"),
                .write(text: "1000 1000 1\n", file: "/proc/self/uid_map"),
            ])
        #expect(parts.run[parts.commandStart...].last?.action == run.last)
    }

    /// In a run there is no host to mount it from.
    @Test func whatIsShownInAPlaceOfTheRunsOwnIsPutBack() throws {
        let parts = try prepared {
            $0.files.operations = [
                FileSystemOperation(.bind(source: .path("/data"), target: "/tmp/a", options: [])),
                FileSystemOperation(
                    .bind(source: .path("/more"), target: "/tmp/a/b", options: [])),
                FileSystemOperation(.bind(source: .path("/c"), target: "/opt/c", options: [])),
            ]
        }
        let run = actions(parts.run)
        let root = try #require(
            run.firstIndex {
                if case .preparedRoot = $0 { true } else { false }
            })
        // With what is mounted on it.
        #expect(run[root] == .preparedRoot(carried: ["/tmp/a"]))
        let place = try #require(
            run.firstIndex { if case .tmpfs("/tmp", _, _, _) = $0 { true } else { false } })
        let back = try #require(run.firstIndex(of: .putBack(target: "/tmp/a", number: 0)))
        #expect(root < place && place < back)
        #expect(run.count { if case .bind = $0 { true } else { false } } == 0)
    }

    @Test(arguments: [
        ("layer", "a writable layer"), ("ranges", "ranges of ids"), ("info", "told of"),
        ("pidOne", "pid 1"), ("shared", "pid namespace"), ("host", "without a rootfs"),
        ("pasta", "connected"), ("data", "to write to"), ("classic", "copy mounts"),
    ])
    func whatCannotBePreparedSaysWhy(kind: String, words: String) throws {
        var facts = HostFacts.alice
        facts.pasta = .found(.init(program: "/usr/bin/pasta"))
        let request = reusing {
            switch kind {
            case "layer": $0.root.layer = .memory
            case "ranges": $0.identity.users = [IDRange(inside: 5, outside: 100_000, count: 1)]
            case "info": $0.lifecycle.infoDescriptor = 9
            case "pidOne": $0.lifecycle.commandIsPidOne = true
            case "shared": $0.namespaces.new.remove(.pid)
            case "host": $0.root.view = .host
            case "pasta": $0.network = .pasta()
            case "classic": $0.compatibility = .mountAPI
            default:
                $0.files.operations = [
                    FileSystemOperation(
                        .bindData(
                            content: .bytes([1]), target: "/opt/x", mode: 0o600, readOnly: false))
                ]
            }
        }
        let plan = try plan(request, on: facts)
        #expect(plan.preparation == nil)
        #expect(plan.unprepared?.contains(words) == true, "\(plan.unprepared ?? "")")
    }

    @Test func whatMakesNoSenseIsRefused() {
        for name: ByteString in ["", "a\nb", ByteString(String(repeating: "x", count: 65))] {
            #expect(refusal(reusing(.named(name)))?.kind == .usage)
        }
        #expect(refusal(reusing { $0.reuse?.idle = 0 })?.kind == .usage)
        #expect(refusal(reusing { $0.namespaces.join = .named("x") })?.kind == .usage)
    }

    @Test func explanationSaysWhichIsWhich() throws {
        let text = Explanation(try plan(reusing())).text
        let ahead = try #require(text.range(of: "Made ahead, once, for the world tests:"))
        let run = try #require(text.range(of: "Steps of each run, in a copy of it:"))
        #expect(text[ahead.upperBound..<run.lowerBound].contains("bind-mount /srv/debian onto /"))
        #expect(text[run.upperBound...].contains("mount a tmpfs on /tmp"))
        #expect(Explanation(try plan(reusing())).json.contains("\"ahead\": true"))
        let cold = Explanation(try plan(reusing { $0.root.layer = .memory })).text
        #expect(cold.contains("Not from a prepared world:\n  its root has a writable layer"))
    }
}
