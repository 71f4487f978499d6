// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

/// Every field of ``LaunchRequest`` is honoured by ``Launcher/launch(_:)``, or refused by name.
@Suite struct FieldTests {
    /// A field that nobody has thought of here fails this.
    @Test func everyFieldHasACase() {
        let names = fields(of: LaunchRequest(), below: "")
        #expect(names.sorted() == FieldCase.all.map(\.name).sorted())
    }

    private func fields(of value: Any, below prefix: String) -> [String] {
        let parts = [
            "root", "files", "namespaces", "identity", "program", "lifecycle", "devices",
            "environment",
        ]
        return Mirror(reflecting: value).children.flatMap { child in
            let name = child.label ?? ""
            return parts.contains(name)
                ? fields(of: child.value, below: prefix + name + ".") : [prefix + name]
        }
    }

    private enum Outcome: Equatable {
        case ended(NamespaceKit.ExitStatus, String)
        case refused(String)
    }

    private func request(_ field: FieldCase, on stage: Stage, changed: Bool) -> LaunchRequest {
        var request = LaunchRequest(command: ["/bin/sh", "-c", ByteString(field.script)])
        request.program.workingDirectory = "/"
        field.base(&request, stage)
        if changed { field.change(&request, stage) }
        return request
    }

    private func launch(_ field: FieldCase, changed: Bool) throws -> Outcome {
        let stage = try Stage()
        let pipe = Pipe()
        var request = request(field, on: stage, changed: changed)
        if request.program.standardOutput == nil {
            request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        }
        do {
            let process = try Launcher().launch(request)
            try pipe.fileHandleForWriting.close()
            let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
            let text = String(decoding: output, as: UTF8.self)
            return .ended(try process.wait(), text.trimmingCharacters(in: .newlines))
        } catch let error as LaunchError {
            return .refused(error.message + "\n" + (error.remedy ?? ""))
        }
    }

    private func plan(_ field: FieldCase, _ stage: Stage, changed: Bool) -> Result<
        LaunchPlan, LaunchError
    > {
        let request = request(field, on: stage, changed: changed)
        var facts = HostFacts.read(for: request)
        field.facts(&facts)
        return Result { () throws(LaunchError) in try Planner.plan(request, on: facts) }
    }

    @Test(arguments: FieldCase.all)
    func isHonoured(field: FieldCase) throws {
        switch field.effect {
        case .prints(let text):
            guard case .ended(_, let without) = try launch(field, changed: false),
                case .ended(_, let with) = try launch(field, changed: true)
            else {
                Issue.record("refused: \(try launch(field, changed: true))")
                return
            }
            #expect(with == text)
            #expect(without != text)
        case .refused(let words):
            guard case .refused(let said) = try launch(field, changed: true) else {
                Issue.record("not refused")
                return
            }
            #expect(said.contains(words))
            if case .refused(let before) = try launch(field, changed: false) {
                #expect(!before.contains(words))
            }
        case .ends(let status):
            #expect(try launch(field, changed: true) == .ended(status, ""))
        case .planned:
            let stage = try Stage()
            let before = plan(field, stage, changed: false)
            #expect(plan(field, stage, changed: true) != before)
        }
    }

    // MARK: Time

    private func limited(_ script: ByteString, change: (inout LaunchRequest) -> Void = { _ in })
        throws
        -> RunningProcess
    {
        var request = LaunchRequest(command: ["/bin/sh", "-c", script])
        request.program.workingDirectory = "/"
        request.lifecycle.timeout = 1_000_000_000
        request.lifecycle.killAfter = 1_000_000_000
        change(&request)
        return try Launcher().launch(request)
    }

    @Test(arguments: [
        NamespaceSet([.user, .mount, .pid]), [.user, .mount],
    ]) func aRunHasItsTimeAndNoMore(namespaces: NamespaceSet) throws {
        let ended = try limited("exit 3") { $0.namespaces.new = namespaces }
        #expect(try ended.wait() == .exited(3))
        #expect(!ended.hasTimedOut)
        let stubborn = try limited("trap '' TERM; while :; do sleep 0.1; done") {
            $0.namespaces.new = namespaces
        }
        #expect(try stubborn.wait() == .signaled(SIGKILL))
        #expect(stubborn.hasTimedOut)
    }

    @Test func aPidOneThatIsTheCommandHasItsTime() throws {
        let process = try limited("while :; do sleep 0.1; done") {
            $0.lifecycle.commandIsPidOne = true
        }
        #expect(try process.wait() == .signaled(SIGKILL))
        #expect(process.hasTimedOut)
    }

    /// By pid 1: a program may do something else first, such as to read what the command writes.
    @Test func timeIsKeptWithoutWaiting() throws {
        let process = try limited("exec sleep 1000") { $0.lifecycle.killAfter = nil }
        let end = try process.openProcessDescriptor()
        defer { close(end) }
        var watched = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
        #expect(poll(&watched, 1, 60_000) == 1)
        #expect(try process.wait() == .signaled(SIGTERM))
        #expect(process.hasTimedOut)
    }

    /// What the command has left behind has that long, too.
    @Test func whatLingersHasItsTime() throws {
        let process = try limited("sleep 1000 & exit 3") { $0.lifecycle.lingers = true }
        #expect(try process.wait() == .exited(3))
        #expect(!process.hasTimedOut)
    }

    /// A set-up that never ends.
    @Test func aSetUpHasItsTime() throws {
        let gate = Pipe()
        let process = try limited("exit 3") {
            $0.lifecycle.startDescriptor = gate.fileHandleForReading.fileDescriptor
        }
        #expect(try process.wait() == .signaled(SIGKILL))
        #expect(process.hasTimedOut)
    }

    // MARK: Reports

    @Test(arguments: [true, false])
    func aRunIsTold(tellsCommand: Bool) throws {
        let (info, status) = (Pipe(), Pipe())
        var request = LaunchRequest(command: ["/bin/sh", "-c", "exit 5"])
        request.program.workingDirectory = "/"
        request.lifecycle.infoDescriptor = info.fileHandleForWriting.fileDescriptor
        request.lifecycle.statusDescriptor = status.fileHandleForWriting.fileDescriptor
        request.lifecycle.tellsCommandPID = tellsCommand
        let process = try Launcher().launch(request)
        #expect(try process.wait() == .exited(5))
        // They have stayed open, and nobody else has them.
        try info.fileHandleForWriting.close()
        try status.fileHandleForWriting.close()
        let told = try info.fileHandleForReading.readToEnd() ?? Data()
        #expect(String(decoding: told, as: UTF8.self).contains("\"child-pid\": \(process.pid)"))
        let lines = String(
            decoding: try status.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(lines.contains("{ \"exit-code\": 5 }\n"))
        #expect(lines.contains("command-pid") == tellsCommand)
    }

    /// A reader that has left keeps nothing from working, and ends no program.
    @Test func nobodyHasToListen() throws {
        let status = Pipe()
        try status.fileHandleForReading.close()
        var request = LaunchRequest(command: ["/bin/sh", "-c", "exit 5"])
        request.program.workingDirectory = "/"
        request.lifecycle.statusDescriptor = status.fileHandleForWriting.fileDescriptor
        #expect(try Launcher().launch(request).wait() == .exited(5))
    }

    // MARK: Namespaces that are only welcome

    /// Where a network namespace cannot be had, here because the run around it allows none.
    @Test func aWelcomeNamespaceIsDoneWithout() throws {
        var request = LaunchRequest(command: ["/bin/true"])
        request.program.workingDirectory = "/"
        request.namespaces.optional = .network
        let error = LaunchError(.setup, "refused").with { $0.refusal = .namespaces }
        #expect(request.reduced(after: error)?.namespaces.optional == [])
        request.namespaces.optional = []
        #expect(request.reduced(after: error) == nil)
    }
}

extension LaunchError {
    fileprivate func with(_ change: (inout LaunchError) -> Void) -> LaunchError {
        var copy = self
        change(&copy)
        return copy
    }
}
