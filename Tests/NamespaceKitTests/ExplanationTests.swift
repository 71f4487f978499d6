// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

@Suite struct ExplanationTests {
    private func text(_ request: LaunchRequest) throws -> String {
        Explanation(try plan(request)).text
    }

    private func json(_ request: LaunchRequest) throws -> [String: Any] {
        let text = Explanation(try plan(request)).json
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(object as? [String: Any])
    }

    @Test func stepsAreNumberedAndNameTheirOption() throws {
        let request = LaunchRequest(command: ["/bin/true"]).with {
            $0.files.operations = [
                .init(.tmpfs(target: "/x", mode: 0o700, size: 4096), origin: "--tmpfs")
            ]
        }
        #expect(
            try text(request).hasPrefix(
                """
                Steps:
                   1  clone a child in new user, mount, pid namespaces
                   2  start a new session
                   3  write "deny" to /proc/self/setgroups
                   4  write "1000 1000 1" to /proc/self/gid_map
                   5  write "1000 1000 1" to /proc/self/uid_map
                   6  allow 1024 namespaces of each kind below
                   7  start from the host's root
                   8  mount a fresh proc on /proc
                   9  mount a tmpfs on /tmp (mode 01777)
                  10  mount a tmpfs on /var/tmp (mode 01777)
                  11  mount a tmpfs on /dev/shm (mode 01777)
                  12  mount a tmpfs on /x (mode 0700, 4096 bytes)  [--tmpfs]
                  13  enter the new root
                  14  make the program in memory that starts the command
                  15  allow no new privileges
                  16  drop all capabilities
                  17  start the command's process; pid 1 stays to reap and to forward signals
                  18  start a new process group
                  19  change directory to /home/alice/work
                  20  run /bin/true

                The command would see:
                """))
    }

    @Test func aRunInPlaceHasNoChild() throws {
        let request = LaunchRequest(command: ["/bin/true"]).with {
            $0.namespaces.new.remove(.pid)
        }
        let text = Explanation(try plan(request, as: .replaceable)).text
        #expect(text.hasPrefix("Steps:\n   1  enter new user, mount namespaces\n"))
    }

    @Test func theTreeShowsSourceAndAccess() throws {
        let request = LaunchRequest(command: ["/bin/true"]).with {
            $0.files.operations = [
                .init(.bind(source: .path("/data"), target: "/srv/data", options: .readOnly)),
                .init(.tmpfs(target: "/srv/data/new", mode: 0o755, size: nil)),
            ]
        }
        #expect(
            try text(request).hasSuffix(
                """
                The command would see:
                  /                  rw      /
                    /dev/shm         private tmpfs
                    /proc            private proc
                    /srv/data        ro      /data
                      /srv/data/new  private tmpfs
                    /tmp             private tmpfs
                    /var/tmp         private tmpfs

                """))
    }

    // MARK: The tree

    private func paths(_ actions: [Step.Action]) throws -> [String] {
        var plan = try plan(LaunchRequest(command: ["true"]))
        plan.steps = ([.emptyRoot] + actions).map { Step(action: $0) }
        return MountTree(plan).sorted.map { "\($0.path.text) \($0.access.rawValue)" }
    }

    private func tmpfs(_ target: ByteString) -> Step.Action {
        .tmpfs(target: target, mode: 0o755, size: nil, replacesLink: false)
    }

    @Test func aLaterMountHidesWhatWasBelow() throws {
        #expect(
            try paths([tmpfs("/a"), tmpfs("/a/b"), tmpfs("/ab"), tmpfs("/a/")])
                == ["/ private", "/a private", "/ab private"])
        #expect(try paths([tmpfs("/a"), .hostRoot]) == ["/ rw"])
    }

    @Test func whatIsBelowFollowsItsParent() throws {
        #expect(
            try paths([tmpfs("/a"), tmpfs("/a/c"), tmpfs("/a-b")])
                == ["/ private", "/a private", "/a/c private", "/a-b private"])
    }

    @Test func aRemountIsSeen() throws {
        #expect(
            try paths([tmpfs("/a"), tmpfs("/a/b"), .remountReadOnly(target: "/a/")])
                == ["/ private", "/a ro", "/a/b private"])
    }

    @Test func dataIsPrivateUnlessReadOnly() throws {
        #expect(
            try paths([
                .bindData(.bytes([1]), target: "/a", mode: 0o600, readOnly: false),
                .bindData(.bytes([1]), target: "/b", mode: 0o600, readOnly: true),
            ]) == ["/ private", "/a private", "/b ro"])
    }

    // MARK: JSON

    @Test func jsonHoldsThePlan() throws {
        let request = LaunchRequest.rootfs().with {
            $0.files.operations = [
                .init(
                    .bind(source: .path("/data"), target: "/data", options: .readOnly),
                    origin: "--ro-bind")
            ]
            $0.program.environment.start = .empty
            $0.program.environment.changes = [.set(name: "A", value: "1")]
        }
        let plan = try plan(request)
        let json = try json(request)
        #expect(json["shape"] as? String == "child with init")
        #expect(json["namespaces"] as? [String] == ["user", "mount", "pid"])
        #expect(json["commandStart"] as? Int == plan.commandStart)
        #expect(json["environment"] as? [String] == ["A=1"])
        let steps = try #require(json["steps"] as? [[String: String]])
        #expect(steps.map { $0["step"] } == plan.steps.map { $0.description })
        #expect(
            steps.contains([
                "step": "bind-mount /data onto /data (read-only)", "option": "--ro-bind",
            ])
        )
        let mounts = try #require(json["mounts"] as? [[String: String]])
        #expect(mounts.first == ["path": "/", "source": "/srv/debian", "access": "ro"])
        #expect(mounts.contains(["path": "/data", "source": "/data", "access": "ro"]))
    }

    @Test func jsonNamesTheNamespacesOfARunInPlace() throws {
        let request = LaunchRequest(command: ["true"]).with { $0.namespaces.new.remove(.pid) }
        let text = Explanation(try plan(request, as: .replaceable)).json
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(object?["shape"] as? String == "in place")
        #expect(object?["namespaces"] as? [String] == ["user", "mount"])
    }

    @Test func jsonParsesWhateverTheNamesHold() throws {
        var hostile = ByteString(#"/a"b\c/'</script>{}é\n"#)
        hostile.bytes += Array(UInt8(1)...UInt8(0xff))
        let request = LaunchRequest(command: [hostile]).with {
            $0.files.operations = [
                .init(.bind(source: .path(hostile), target: hostile, options: []), origin: hostile)
            ]
            $0.program.environment.changes = [.set(name: "A", value: hostile)]
            $0.namespaces.hostname = #"""#
        }
        let mounts = try #require(try json(request)["mounts"] as? [[String: String]])
        #expect(mounts.contains { $0["source"] == hostile.text })
    }
}
