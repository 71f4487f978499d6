// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What is mounted on the host, and changes there. Each test has mounts of its own, in a user namespace in which they can be
/// made without being root, and which is the host to the runs in it.
@Suite struct HostMountTests {
    /// A shell script there, with nsrun as `$N`, a root as `$R` and a directory that is empty as `$D`.
    private func onHost(_ script: String, _ directory: TemporaryDirectory) throws -> Outcome {
        let bench = try Bench.current()
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let set = "N=\(bench.nsrun) R=\(bench.rootfs) D=\(directory.path) NSRUN_ENGINE=userns"
        return try run(
            [
                "unshare", "-Urm", "--propagation", "shared", "env",
            ] + set.split(separator: " ").map(String.init) + [
                "sh", "-c", "as_user() { unshare \(user) \"$@\"; }; cd \"$D\"; \(script)",
            ])
    }

    // MARK: What nobody has asked for

    static let odd: [(what: String, set: String, kept: Bool)] = [
        ("replaced where it is mounted", "mount --bind a resolv.conf; echo other >b; mv b a", true),
        ("deleted where it is mounted", "mount --bind a resolv.conf; rm a", true),
        ("deleted", "rm resolv.conf", false),
        ("a directory", "rm resolv.conf; mkdir resolv.conf", false),
        ("a loop of links", "rm resolv.conf; ln -s resolv.conf resolv.conf", false),
        ("a link to nothing", "rm resolv.conf; ln -s /none/at/all resolv.conf", false),
        ("a pipe", "rm resolv.conf; mkfifo resolv.conf", false),
    ]

    /// It is left out, or its text is there, and nothing keeps the run from starting.
    @Test(
        arguments: odd,
        ["", "--debug-opt=force-attached-mounts", "--debug-opt=force-classic-mounts"])
    func aFileThatIsShownByItselfMayBeAnything(
        file: (what: String, set: String, kept: Bool), way: String
    ) throws {
        let directory = try TemporaryDirectory(in: "/var/tmp")
        for name in ["resolv.conf", "hosts"] {
            let set = file.set.replacingOccurrences(of: "resolv.conf", with: name)
            let seen = try onHost(
                """
                mount --bind "$D" /etc; rm -rf "$D"/*; echo from >a; : >resolv.conf; : >hosts; \(set)
                as_user "$N" \(way) --rootfs "$R" -- sh -c \
                    'IFS= read -r line </etc/\(name); echo "$line"; :'
                """, directory)
            #expect(seen.status == 0, "\(file.what): \(seen)")
            #expect((seen.output == "from") == file.kept, "\(file.what): \(seen)")
        }
    }

    @Test func whatIsLeftOutIsSaid() throws {
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let seen = try onHost(
            """
            mount --bind "$D" /etc; : >hosts; ln -s resolv.conf resolv.conf
            as_user "$N" --verbose --rootfs "$R" true
            """, directory)
        #expect(seen.status == 0, "\(seen)")
        let line = seen.error.split(separator: "\n").first { $0.contains("/etc/resolv.conf onto") }
        #expect(line?.contains("passed over: too many symbolic links") == true, "\(seen)")
    }

    /// The root's own may be anything, too.
    @Test(arguments: ["mkdir", "ln -s resolv.conf", "mkfifo", "ln -s /none/at/all/resolv.conf"])
    func theRootsOwnMayBeAnything(make: String) throws {
        let root = try BareRoot(with: ["mkdir"])
        let script = """
            mkdir -p etc && cd etc && \(make) resolv.conf && \
                \(make.replacingOccurrences(of: "resolv.conf", with: "hosts")) hosts
            """
        try expect(run(["sh", "-c", script], directory: root.path), exits: 0)
        for path in MountPath.allCases {
            try expect(inRoot("echo runs", path.options, root: root.path), prints: "runs")
        }
    }

    /// And so may what it has for its users, and the directory of all of them.
    @Test(arguments: [
        "mkdir -p etc/passwd etc/group", "mkdir etc; ln -s passwd etc/passwd; mkfifo etc/group",
        ": >etc", "ln -s etc etc", "ln -s /proc/self/root etc",
        "mkdir etc; chmod 555 etc; ln -s x home",
    ])
    func theRootsSettingsMayBeAnything(make: String) throws {
        let root = try BareRoot(with: ["mkdir"])
        try expect(run(["sh", "-c", make], directory: root.path), exits: 0)
        for path in MountPath.allCases {
            try expect(inRoot("echo runs", path.options, root: root.path), prints: "runs")
        }
    }

    // MARK: Mounts that come and go

    /// Under a busy host a fault shows itself once in some hundred launches: `Scripts/test.sh --all` makes so many.
    private static let rounds = ProcessInfo.processInfo.environment["NSRUN_ALL"] != nil ? 500 : 30

    /// The host's table is read before it is copied: what has changed in between is looked at again.
    @Test(arguments: [
        [], ["--ephemeral"], ["--overlay-dir", "/var/tmp/nsrun-test-none"],
        ["--ephemeral", "--debug-opt=force-classic-mounts"], ["--ephemeral", "--verbose"],
        ["--overlay-dir", "/var/tmp/nsrun-test-none", "--debug-opt=force-classic-mounts"],
        ["--rootfs", "$R", "--ro-bind", "$D", "/mnt"], ["--rootfs", "$R", "--home", "--host-root"],
        ["--rootfs", "$R", "--ro-bind", "$D", "/mnt", "--debug-opt=force-classic-mounts"],
        ["--rootfs", "$R", "--ephemeral", "--host-root", "--debug-opt=force-classic-mounts"],
    ])
    func changesDoNotKeepARunFromStarting(options: [String]) throws {
        let directory = try TemporaryDirectory(in: NSHomeDirectory())
        let layer = try TemporaryDirectory(in: "/var/tmp")
        let words = options.map { $0.contains("nsrun-test-none") ? layer / "layer" : $0 }
        let seen = try onHost(
            """
            mkdir a b
            (while [ ! -e stop ]; do
                mount -t tmpfs x a; mount -t tmpfs y b; mkdir b/c; mount -t tmpfs z b/c
                umount a; umount b/c; umount b
            done 2>/dev/null) & 
            failed=0
            for i in $(seq \(HostMountTests.rounds)); do
                as_user "$N" \(words.joined(separator: " ")) -- true 2>error || { failed=$((failed + 1)); cat error >&3; }
            done 3>said
            : >stop; wait; echo "$failed"; head -c 600 said
            """, directory)
        #expect(seen.output == "0", "\(seen)")
    }

    /// Of a read-only bind nothing becomes writable by what the host mounts below it later.
    @Test(arguments: MountPath.allCases)
    func whatComesLaterIsNotWritable(path: MountPath) throws {
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let seen = try onHost(
            """
            mount -t tmpfs shared "$D"; cd "$D"; mkdir -p outer/inner; mkfifo go
            as_user "$N" \(path.options.joined(separator: " ")) --rootfs "$R" --ro-bind "$D" /mnt -- sh -c \
                'read -r line </mnt/go; echo x >/mnt/outer/inner/new || echo read-only' 2>/dev/null &
            until [ -e started ]; do : >started; sleep 0.5; done
            mount -t tmpfs later outer/inner
            echo >go; wait
            [ ! -e outer/inner/new ] || echo written
            """, directory)
        expect(seen, prints: "read-only")
    }

    // MARK: What a mount forbids

    /// As the file system is mounted, so is the overlay that lies over it.
    @Test(arguments: ["", "--debug-opt=force-classic-mounts"])
    func anOverlayForbidsWhatTheMountBelowForbids(way: String) throws {
        let directory = try TemporaryDirectory(in: NSHomeDirectory())
        let seen = try onHost(
            """
            mkdir strict plain; mount -t tmpfs -o noexec,nosymfollow none strict
            mount -t tmpfs none plain
            for d in strict plain; do printf '#!/bin/sh\\necho ran\\n' >$d/program; chmod 755 $d/program; ln -s program $d/link; done
            for layer in --ephemeral "--overlay-dir $D/layer"; do
                as_user "$N" \(way) $layer --chdir "$D" -- sh -c '
                    for d in strict plain; do echo new >$d/new; ./$d/program; sh $d/link; cat $d/new; done 2>/dev/null'
                mkdir -p layer
            done
            """, directory)
        let once = "new\nran\nran\nnew"
        expect(seen, prints: once + "\n" + once)
    }
}
