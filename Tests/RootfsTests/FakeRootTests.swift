// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--fake-root`: what only real root may do appears to succeed, through every table of calls.
@Suite struct FakeRootTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let call: FakedCall
        let table: SystemCallTable
        let number: Int

        var testDescription: String {
            "\(table) \(call.name) \(call.arguments.joined(separator: " "))"
        }

        static func all(_ calls: [FakedCall]) -> [Case] {
            calls.flatMap { call in
                SystemCallTable.allCases.compactMap { table in
                    call.number(in: table).map { Case(call: call, table: table, number: $0) }
                }
            }
        }
    }

    @Test(arguments: Case.all(FakedCall.all))
    func appearsToSucceed(_ one: Case) throws {
        let seen = try SystemCallProbe.run(
            one.table, one.number, one.call.arguments, ["--fake-root"],
            then: "id -u; id -g; stat -c '%u %g' file; ls")
        expect(seen, prints: "0\n0\n0\n0 0\nfile")
    }

    /// Without it they are refused, as is the whole x32 table where the kernel has none. setfsuid and
    /// setfsgid never fail: they answer with the id, which is then not 0.
    @Test(arguments: Case.all(FakedCall.all))
    func isRefusedWithout(_ one: Case) throws {
        let seen = try SystemCallProbe.run(one.table, one.number, one.call.arguments, [])
        let answer = try #require(Int(seen.output), "\(seen)")
        #expect(answer < 0 || one.call.name.hasPrefix("setfs") && answer > 0)
    }

    /// Not through the x32 table: few kernels have it for real.
    @Test(arguments: Case.all(FakedCall.nodes).filter { $0.table.rawValue != "x32" })
    func otherNodesAreMadeForReal(_ one: Case) throws {
        let seen = try SystemCallProbe.run(
            one.table, one.number, one.call.arguments, ["--fake-root"], then: "stat -c %F node")
        expect(seen, prints: "0\n\(one.call.name)")
    }

    @Test func tarAndInstallTakeForeignOwners() throws {
        let script = """
            set -e; cd /tmp; mkdir d; echo text >d/f
            tar -c --owner=17 --group=42 --numeric-owner -f a.tar d; rm -r d
            tar -xpf a.tar; install -o 33 -g 33 -m 4755 d/f d/g
            cat d/f; stat -c '%a %u' d/g
            """
        expect(try inRoot(script, ["--fake-root"]), prints: "text\n4755 0")
    }

    @Test func aptNeedNotChangeItsUser() throws {
        let seen = try inRoot(
            "apt-config dump --format '%v%n' APT::Sandbox::User", ["--fake-root"])
        expect(seen, prints: "root")
    }
}
