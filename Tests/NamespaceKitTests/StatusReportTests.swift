// SPDX-License-Identifier: Apache-2.0

import CHost
import Glibc
import Testing

@testable import NamespaceKit

/// The JSON of `--info-fd` and `--json-status-fd`, to the blank: callers take it apart by pattern.
@Suite struct StatusReportTests {
    /// What a report writes to a pipe.
    private func written(
        to field: WritableKeyPath<Lifecycle, Int32?>,
        namespaces: NamespaceSet = [.user, .mount, .pid], _ body: (StatusReport) throws -> Void
    ) throws -> String {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        var request = LaunchRequest(command: ["true"])
        request.namespaces.new = namespaces
        request.lifecycle[keyPath: field] = ends[1]
        try body(StatusReport(try plan(request)))
        close(ends[1])
        defer { close(ends[0]) }
        guard case .content(let bytes) = HostFile.read(descriptor: ends[0], limit: 4096)
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func number(_ namespace: String) -> UInt64 {
        withCString(ByteString("/proc/self/ns/\(namespace)")) { nsrun_inode($0) }
    }

    @Test func infoIsOneObjectOverSeveralLines() throws {
        let text = try written(to: \.infoDescriptor) { try $0.tellChild(getpid()) }
        #expect(
            text == """
                {
                    "child-pid": \(getpid()),
                    "mnt-namespace": \(number("mnt")),
                    "pid-namespace": \(number("pid"))
                }

                """)
    }

    @Test func statusIsAnObjectALine() throws {
        let text = try written(to: \.statusDescriptor) {
            try $0.tellChild(getpid())
            try $0.tellEnd(3)
        }
        #expect(
            text == """
                { "child-pid": \(getpid()), "mnt-namespace": \(number("mnt")), \
                "pid-namespace": \(number("pid")) }
                { "exit-code": 3 }

                """)
    }

    /// In bubblewrap's order; the host's own are not told.
    @Test func namespacesThatAreNewAreTold() throws {
        let all: NamespaceSet = [.user, .mount, .pid, .network, .ipc, .uts, .cgroup]
        let text = try written(to: \.infoDescriptor, namespaces: all) {
            try $0.tellChild(getpid())
        }
        let names = text.split(separator: "\"").filter { $0.hasSuffix("-namespace") }
        #expect(
            names == [
                "cgroup-namespace", "ipc-namespace", "mnt-namespace", "net-namespace",
                "pid-namespace", "uts-namespace",
            ])
    }

    /// bubblewrap does not tell the command's own pid, and nobody else is told without asking.
    @Test func theCommandsPidIsToldWhereItIsWanted() throws {
        var request = LaunchRequest(command: ["true"])
        #expect(!StatusReport(try plan(request)).wantsStart)
        request.lifecycle.statusDescriptor = 1
        #expect(StatusReport(try plan(request)).wantsStart)
        #expect(StatusReport(try plan(request)).descriptors == [-1, 1])
        request.lifecycle.tellsCommandPID = false
        #expect(!StatusReport(try plan(request)).wantsStart)
    }
}
