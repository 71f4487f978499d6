// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Who the caller is in a rootfs: by the files, by the name service, or by what he says of himself.
@Suite struct AccountTests {
    /// Runs nsrun in a run in which the caller is somebody of whom nobody knows.
    private func unknown(_ script: String, environment: [String: String?]) throws -> Outcome {
        let bench = try Bench.current()
        let inner = [bench.nsrun, "--rootfs", bench.rootfs, "--", "sh", "-c", script]
        return try nsrun(
            ["--uid", "54321", "--gid", "54322", "--"] + inner, environment: environment)
    }

    private let nobody: [String: String?] = ["USER": nil, "LOGNAME": nil]

    @Test(
        arguments: [
            (["USER": "ghost", "LOGNAME": "other"], "ghost"), (["LOGNAME": "other"], "other"),
            ([:], "54321"), (["USER": ""], "54321"),
            // What would make nonsense of the file, and names of others.
            (["USER": "a:b", "LOGNAME": "other"], "other"), (["USER": "a\nroot:x:0:0"], "54321"),
            (["USER": "root"], "54321"), (["USER": "root", "LOGNAME": "daemon"], "54321"),
            (["USER": "77"], "54321"), (["USER": "two words"], "54321"), (["USER": "-n"], "54321"),
        ] as [([String: String], String)])
    func somebodyUnknownHasAnEntry(environment: [String: String], name: String) throws {
        let variables = nobody.merging(environment.mapValues { $0 }) { $1 }
        let script = """
            getent passwd $(id -u) | cut -d: -f1,3,4; id -gn; getent passwd root | cut -d: -f3
            """
        let seen = try unknown(script, environment: variables)
        expect(seen, prints: "\(name):54321:54322\n\(name)\n0")
    }

    @Test func hisHomeAndShellAreTheEnvironments() throws {
        let script = "getent passwd $(id -u) | cut -d: -f6,7"
        var variables = nobody
        variables["HOME"] = "/home/ghost"
        variables["SHELL"] = "/bin/bash"
        try expect(unknown(script, environment: variables), prints: "/home/ghost:/bin/bash")
        variables["HOME"] = .some(nil)
        variables["SHELL"] = .some(nil)
        try expect(unknown(script, environment: variables), prints: "/:/bin/sh")
        variables["HOME"] = "/home/a:b"
        try expect(unknown(script, environment: variables), prints: "/:/bin/sh")
    }

    /// All that the host's entry says stays, but for the home that the caller has chosen.
    @Test func theEntryIsTheHosts() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let home = NSHomeDirectory()
        let entry = ":x:\(getuid()):\(getgid()):Me Myself,Room 101,,:\(home):/opt/bin/fish"
        try folder.write("root:x:0:0::/root:/bin/sh\nmyself\(entry)\n", to: "passwd")
        for preset in [[], ["--preset", "toolbox"]] {
            let seen = try nsrun(
                ["--ro-bind", folder / "passwd", "/etc/passwd", bench.nsrun] + preset
                    + ["--rootfs", bench.rootfs, "getent", "passwd", "\(getuid())"])
            expect(seen, prints: "myself" + entry)
        }
    }

    /// A directory service's, which only getent(1) knows: user, group and further groups.
    @Test func theNameServiceIsAsked() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write(
            """
            #!/bin/sh
            database=$1; shift
            for id; do
                case $database:$id in
                passwd:5) echo 'far:x:5:6:Far Away:/home/far:/bin/sh' ;;
                group:6) echo 'far users:x:6:' ;;
                group:4711) echo 'team one:x:4711:far,other' ;;
                group:4712) echo 'team two:x:4712:' ;;
                esac
            done
            exit 2
            """, to: "getent")
        try expect(run(["chmod", "755", folder / "getent"]), exits: 0)
        try folder.write("root:x:0:0::/root:/bin/sh\n", to: "passwd")
        try folder.write("root:x:0:\n", to: "group")
        let script = """
            cp \(bench.nsrun) /tmp/nsrun; chmod 755 /tmp/nsrun; cd /
            HOME=/nonexistent exec setpriv --reuid 5 --regid 6 --groups 4711,4712,4713 -- \
                /tmp/nsrun --preset toolbox --rootfs /mnt -- \
                sh -c 'getent passwd 5; for id in 6 4711 4712; do getent group $id; done'
            """
        var options = ["--map-auto", "--uid", "0", "--gid", "0", "--ro-bind", bench.rootfs, "/mnt"]
        for (file, place) in [
            ("getent", "/usr/bin/getent"), ("passwd", "/etc/passwd"), ("group", "/etc/group"),
        ] {
            options += ["--ro-bind", folder / file, place]
        }
        try expect(
            onHost(script, options),
            prints: """
                far:x:5:6:Far Away:/nonexistent:/bin/sh
                far users:x:6:
                team one:x:4711:far
                team two:x:4712:far
                """)
    }
}
