// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

@Suite struct ValueTests {
    @Test(
        arguments: [
            ("30", 30_000_000_000), ("0.5", 500_000_000), ("1.5m", 90_000_000_000),
            ("2h", 7_200_000_000_000), ("1d", 86_400_000_000_000), ("500ms", 500_000_000),
            ("10s", 10_000_000_000), (".5", 500_000_000), ("1.", 1_000_000_000), ("0.000000001", 1),
            ("0.0000000019", 1), ("0.5ms", 500_000), ("1.000000001d", 86_400_000_086_400),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) {
        #expect(Value.nanoseconds(ByteString(text)) == nanoseconds)
    }

    @Test(arguments: [
        "", ".", "s", ".s", "-1", "+1", "1 s", "1x", "1.2.3", "1,5", "1ss", "1e3x", "0.5x5",
        "0.123456789abcdefghijk", "99999999999999999999", "9999999999d", "1\n",
    ])
    func notADuration(text: String) {
        #expect(Value.nanoseconds(ByteString(text)) == nil)
        #expect(
            complaint("--timeout", text) == """
                --timeout: "\(ByteString(text).text)" is no duration
                  give seconds, as in 30 or 0.5, or 500ms, 2m, 1h, 1d
                """)
    }

    @Test(
        arguments: [
            ("65536", 65536), ("64K", 65536), ("64k", 65536), ("10M", 10 << 20), ("1G", 1 << 30),
            ("2T", 2 << 40),
        ] as [(String, UInt64)])
    func sizes(text: String, bytes: UInt64) throws {
        let request = try build(["--size", text, "--tmpfs", "/x"]).request
        #expect(
            request.files.operations.first?.action == .tmpfs(target: "/x", mode: 0o755, size: bytes)
        )
    }

    @Test(arguments: ["", "0", "K", "-1", "1KB", "1.5G", "99999999999T", "16777216T"])
    func notASize(text: String) {
        #expect(
            complaint("--size", text, "--tmpfs", "/x") == """
                --size: "\(text)" is no size
                  give bytes, as in 65536, or 64K, 10M, 1G
                """)
    }

    @Test(arguments: ["", "8", "0x1ff", "u+x", "10000", "-1"])
    func notAMode(text: String) {
        let lines = "\"\(text)\" is no octal mode\n  as in 0755"
        #expect(complaint("--perms", text, "--dir", "/x") == "--perms: \(lines)")
        #expect(complaint("--chmod", text, "/x") == "--chmod: \(lines)")
    }

    @Test(arguments: ["", "-1", "alice", "4294967295", "4294967296", "1.0"])
    func notAnID(text: String) {
        let lines = "\"\(text)\" is no id\n  give a number from 0 to 4294967294"
        #expect(complaint("--uid", text) == "--uid: \(lines)")
        #expect(complaint("--gid", text) == "--gid: \(lines)")
    }

    @Test func theLargestID() throws {
        #expect(try build(["--uid", "4294967294"]).request.identity.user == 4_294_967_294)
    }

    // MARK: Limits

    @Test(
        arguments: [
            ("nofile=1024", 7, 1024, 1024), ("nofile=10:20", 7, 10, 20),
            ("as=2G:4G", 9, 2 << 30, 4 << 30),
            ("core=unlimited", 4, ResourceLimit.unlimited, ResourceLimit.unlimited),
            ("core=0:unlimited", 4, 0, ResourceLimit.unlimited),
        ] as [(String, Int32, UInt64, UInt64)])
    func limits(text: String, resource: Int32, soft: UInt64, hard: UInt64) throws {
        #expect(
            try build(["--rlimit", text]).request.program.limits == [
                ResourceLimit(resource: resource, soft: soft, hard: hard)
            ])
    }

    @Test(arguments: ["nofile", "nofile=", "nofile=:", "nofile=1:2:3", "nofile=20:10", "nofile=x"])
    func notALimit(text: String) {
        #expect(
            complaint("--rlimit", text) == """
                --rlimit: "\(text)" is no limit
                  as in nofile=1024, as=2G:4G or core=unlimited
                """)
    }

    @Test(arguments: ["files=1", "=1", "NOFILE=1"])
    func anUnknownLimit(text: String) throws {
        let name = text.prefix { $0 != "=" }
        let lines = try #require(complaint("--rlimit", text))
        #expect(lines.hasPrefix("--rlimit: unknown limit \"\(name)\"\n  one of cpu, fsize, "))
    }

    // MARK: Limits of all processes

    @Test(arguments: [
        ("memory=512M", together(memory: .bytes(512 << 20))),
        ("memory=50%", together(memory: .percent(50))), ("cpu=1.5", together(cpu: 1500)),
        ("cpu=0.125", together(cpu: 125)), ("cpu=150%", together(cpu: 1500)),
        ("pids=7", together(pids: 7)), ("pids=7,pids=8", together(pids: 8)),
        ("io=64K,cpu=2", together(cpu: 2000, io: 65536)),
    ])
    func limitsOfAll(text: String, limits: Limits) throws {
        #expect(try build(["--limit", text]).request.limits == limits)
    }

    @Test(
        arguments: [
            ("", "", "as in memory=1G,cpu=1.5,pids=200,io=50M"),
            ("memory", "memory", "as in memory=1G,cpu=1.5,pids=200,io=50M"),
            ("pids=1,", "", "as in memory=1G,cpu=1.5,pids=200,io=50M"),
            ("swap=1G", "swap=1G", "one of memory=, cpu=, pids= and io="),
            (
                "memory=x", "memory=x",
                "memory=BYTES, as in 512M or 2G, or memory=50% of the machine's"
            ),
            (
                "memory=%", "memory=%",
                "memory=BYTES, as in 512M or 2G, or memory=50% of the machine's"
            ),
            ("cpu=", "cpu=", "cpu=PROCESSORS, as in 2 or 1.5, or as in 150%"),
            ("cpu=1.2345", "cpu=1.2345", "cpu=PROCESSORS, as in 2 or 1.5, or as in 150%"),
            ("cpu=1.", "cpu=1.", "cpu=PROCESSORS, as in 2 or 1.5, or as in 150%"),
            ("pids=9,pids=1K", "pids=1K", "pids=COUNT, of processes and threads"),
            ("io=/dev/sda:5", "io=/dev/sda:5", "io=BYTES a second for each disk, as in 50M"),
        ])
    func notALimitOfAll(text: String, part: String, remedy: String) {
        #expect(complaint("--limit", text) == "--limit: \"\(part)\" is no limit\n  \(remedy)")
    }

    // MARK: Capabilities

    @Test(arguments: ["CAP_NET_ADMIN", "cap_net_admin", "net_admin", "NET_ADMIN"])
    func capabilities(name: String) throws {
        #expect(try build(["--cap-add", name]).request.identity.capabilities == [.add(12)])
        #expect(try build(["--cap-drop", name]).request.identity.capabilities == [.drop(12)])
    }

    /// As in bubblewrap, in any case.
    @Test(arguments: ["ALL", "all", "All"]) func allCapabilities(name: String) throws {
        #expect(try build(["--cap-add", name]).request.identity.capabilities == [.addAll])
        #expect(try build(["--cap-drop", name]).request.identity.capabilities == [.dropAll])
    }

    @Test(arguments: ["", "CAP_", "fly", "CAP_CAP_CHOWN", "chown,fowner", "chown "])
    func anUnknownCapability(name: String) {
        #expect(
            complaint("--cap-add", name) == """
                --cap-add: unknown capability "\(name)"
                  as in CAP_NET_ADMIN or net_admin; capabilities(7) lists them
                """)
    }

    // MARK: Environment files

    private func changes(_ text: String) throws -> [EnvironmentRequest.Change] {
        try EnvironmentFile.parse(Array(text.utf8), "vars")
    }

    @Test func environmentFiles() throws {
        #expect(
            try changes("# a comment\n\nA=1\nexport B=x=y\r\nC=\n D = \"q\" ") == [
                .set(name: "A", value: "1"), .set(name: "B", value: "x=y"),
                .set(name: "C", value: ""), .set(name: " D ", value: " \"q\" "),
            ])
    }

    @Test(arguments: [
        ("A=1\nB\n", "vars, line 2: \"B\" is not NAME=VALUE"),
        ("=1", "vars, line 1: \"=1\" is not NAME=VALUE"), ("A=\0", "vars, line 1: a NUL byte"),
    ])
    func environmentFilesThatMakeNoSense(text: String, message: String) {
        #expect {
            try changes(text)
        } throws: {
            ($0 as? UsageError)?.message == message
        }
    }

    @Test func aMissingEnvironmentFile() {
        #expect(
            complaint("--env-file", "/no/such")
                == "cannot read /no/such: no such file or directory\n  name what is there")
    }
}

private func together(
    memory: Limits.Memory? = nil, cpu: UInt64? = nil, pids: UInt64? = nil, io: UInt64? = nil
) -> Limits {
    var limits = Limits()
    limits.memory = memory
    limits.processorThousandths = cpu
    limits.processes = pids
    limits.bytesPerSecond = io
    return limits
}
