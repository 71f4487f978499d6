// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Descriptors by which a run and its caller tell each other something.
@Suite struct ReportTests {
    /// What a run writes to descriptor 9, with every number replaced by N.
    private func report(
        _ option: String, _ options: [String] = [], as name: Name = .bwrap,
        command: [String] = ["true"]
    ) throws -> (text: String, status: Int32) {
        let file = try Scratch.openFile()
        defer { close(file) }
        let seen = try run(name.command() + [option, "9"] + options + command, passing: [9: file])
        let text = Scratch.content(file)
        return (text.replacing(#/[0-9]+/#, with: "N"), seen.status)
    }

    /// Byte for byte what bubblewrap writes: callers have been seen to take it apart with regular
    /// expressions.
    @Test func infoIsInBubblewrapsSpacing() throws {
        let plain = try report("--info-fd")
        #expect(plain.text == "{\n    \"child-pid\": N,\n    \"mnt-namespace\": N\n}")
        let all = try report("--info-fd", ["--unshare-all"])
        #expect(
            all.text == """
                {
                    "child-pid": N,
                    "cgroup-namespace": N,
                    "ipc-namespace": N,
                    "mnt-namespace": N,
                    "net-namespace": N,
                    "pid-namespace": N,
                    "uts-namespace": N
                }
                """)
    }

    @Test func statusIsInBubblewrapsSpacing() throws {
        let plain = try report("--json-status-fd", command: ["sh", "-c", "exit 3"])
        #expect(
            plain.text == """
                { "child-pid": N, "mnt-namespace": N }
                { "exit-code": N }
                """)
        let all = try report("--json-status-fd", ["--unshare-all"])
        #expect(
            all.text == """
                { "child-pid": N, "cgroup-namespace": N, "ipc-namespace": N, "mnt-namespace": N, \
                "net-namespace": N, "pid-namespace": N, "uts-namespace": N }
                { "exit-code": N }
                """)
    }

    @Test func underItsOwnNameTheCommandsPidIsToldToo() throws {
        let seen = try report("--json-status-fd", as: .nsrun)
        #expect(seen.text.contains("\"command-pid\": N"), "\(seen)")
    }

    @Test func theCommandsPidIsTheOneOutside() throws {
        let pipe = try Pipe.make()
        defer { close(pipe.read) }
        let run = try Conversation(
            Name.nsrun.command() + ["--json-status-fd", "9", "cat"],
            passing: [9: pipe.write])
        close(pipe.write)
        run.say("on")
        #expect(run.line() == "on")
        var text = ""
        while !text.contains("command-pid"), Pipe.isReadable(pipe.read) {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(pipe.read, &buffer, buffer.count)
            if count <= 0 { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let match = try #require(text.firstMatch(of: #/"command-pid": ([0-9]+)/#))
        let name = try String(contentsOfFile: "/proc/\(match.1)/comm", encoding: .utf8)
        #expect(name == "cat\n")
    }

    @Test(arguments: [["/none"], ["/usr"], ["/usr/share/common-licenses/GPL-3"]])
    func noExitCodeIsToldOfWhatNeverRan(command: [String]) throws {
        let seen = try report("--json-status-fd", command: command)
        #expect(seen.status == 1)
        #expect(!seen.text.contains("exit-code"), "\(seen)")
    }

    @Test(arguments: [["exit 42", "42"], ["kill -KILL $$", "137"]])
    func exitCodeIsTheShells(script: [String]) throws {
        let file = try Scratch.openFile()
        defer { close(file) }
        let seen = try run(
            Name.bwrap.command() + ["--json-status-fd", "9", "sh", "-c", script[0]],
            passing: [9: file])
        #expect("\(seen.status)" == script[1])
        #expect(Scratch.content(file).hasSuffix("\n{ \"exit-code\": \(script[1]) }"))
    }

    /// A reader that waits for the end of the file must not wait for the command.
    @Test func theCommandDoesNotInheritTheReports() throws {
        let file = try Scratch.openFile()
        defer { close(file) }
        let options = ["--bind", "/proc", "/proc", "--info-fd", "8", "--json-status-fd", "9"]
        let script = "[ -e /proc/self/fd/8 ] || [ -e /proc/self/fd/9 ] || echo closed"
        let seen = try run(
            Name.bwrap.command() + options + ["sh", "-c", script], passing: [8: file, 9: file])
        expect(seen, prints: "closed")
    }

    @Test(arguments: Name.allCases)
    func theCommandWaitsForTheBlockDescriptor(name: Name) throws {
        let gate = try Pipe.make()
        let info = try Pipe.make()
        defer { for end in [gate.read, info.read] { close(end) } }
        // The other case runs at the same time and must not be taken for this one.
        let script = "echo started by \(name)"
        let run = try Conversation(
            name.command() + ["--block-fd", "8", "--info-fd", "9", "sh", "-c", script],
            passing: [8: gate.read, 9: info.write])
        close(info.write)
        #expect(Pipe.isReadable(info.read))
        // The root stands or will soon, and the command is not there until it is let in.
        usleep(50_000)
        #expect(
            try !HostState.processes(script).contains { pid in
                let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)
                return name == "sh\n"
            })
        _ = write(gate.write, "x", 1)
        close(gate.write)
        #expect(run.line() == "started by \(name)")
        #expect(run.child.wait() == 0)
    }

    @Test func theIdMapsAreLeftToTheCaller() throws {
        let gate = try Pipe.make()
        let info = try Pipe.make()
        defer { for end in [gate.read, info.read] { close(end) } }
        let run = try Conversation(
            Name.bwrap.command()
                + ["--unshare-user", "--userns-block-fd", "8", "--info-fd", "9", "id", "-u"],
            passing: [8: gate.read, 9: info.write])
        close(info.write)
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(Pipe.isReadable(info.read))
        let count = read(info.read, &buffer, buffer.count)
        let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        let pid = try #require(text.firstMatch(of: #/"child-pid": ([0-9]+)/#)).1
        for (file, map) in [
            ("setgroups", "deny"), ("uid_map", "77 \(getuid()) 1"), ("gid_map", "77 \(getgid()) 1"),
        ] {
            try map.write(toFile: "/proc/\(pid)/\(file)", atomically: false, encoding: .utf8)
        }
        _ = write(gate.write, "x", 1)
        close(gate.write)
        #expect(run.line() == "77")
        #expect(run.child.wait() == 0)
    }

    /// Held by the run, not by the command: the reader sees the end when all of it is over.
    @Test func syncDescriptorsAreHeldWhileTheRunLasts() throws {
        let first = try Pipe.make()
        let second = try Pipe.make()
        defer { for end in [first.read, second.read] { close(end) } }
        let run = try Conversation(
            Name.bwrap.command()
                + [
                    "--bind", "/proc", "/proc", "--sync-fd", "8", "--sync-fd", "9", "sh", "-c",
                    "ls /proc/self/fd | grep -E '^(8|9)$'; echo on; read -r x",
                ], passing: [8: first.write, 9: second.write])
        close(first.write)
        close(second.write)
        #expect(run.line() == "on")
        for end in [first.read, second.read] {
            var wanted = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
            #expect(poll(&wanted, 1, 0) == 0)
        }
        run.hangUp()
        run.child.wait()
        for end in [first.read, second.read] { #expect(Pipe.isReadable(end)) }
    }

    @Test func filesAreLockedWhileTheRunLasts() throws {
        let host = try TemporaryDirectory()
        let paths = [try host.write("", to: "one"), try host.write("", to: "two")]
        func isLocked(_ path: String) throws -> Bool {
            let file = try OpenFile(path, O_RDWR)
            var lock = flock(
                l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
            #expect(fcntl(file.number, F_GETLK, &lock) == 0)
            return lock.l_type != Int16(F_UNLCK)
        }
        let locks = ["--lock-file", "/x/one", "--lock-file", "/x/two"]
        let run = try Conversation(
            Name.bwrap.command() + ["--bind", host.path, "/x"] + locks
                + ["sh", "-c", "echo on; read -r x"])
        #expect(run.line() == "on")
        #expect(try paths.allSatisfy(isLocked))
        run.hangUp()
        run.child.wait()
        #expect(try HostState.eventually { try !paths.contains(where: isLocked) })
        expect(try sandbox("", ["--lock-file", "/none"]), refusedSaying: "/none")
    }

    @Test(arguments: [
        "--sync-fd", "--block-fd", "--userns-block-fd", "--info-fd", "--json-status-fd",
        "--seccomp", "--add-seccomp-fd",
    ])
    func descriptorsMustBeOpenNumbers(option: String) throws {
        expect(try sandbox("", [option, "77"]), refusedSaying: option)
        for value in ["x", "-1", ""] {
            expect(try sandbox("", [option, value]), refusedSaying: "Invalid fd: \(value)")
        }
    }
}
