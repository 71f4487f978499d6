// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--preset hpc`: what a resource manager gave its process is still there, and nsrun is not.
@Suite struct JobPresetTests {
    private func inJob(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/", descriptors: [Int32: String] = [:]
    ) throws -> Outcome {
        try inRoot(
            script, ["--preset", "hpc"] + options, environment: environment, directory: directory,
            descriptors: descriptors)
    }

    /// A script says the same inside and outside.
    private func expectSame(_ script: String, after preparation: String = ":") throws {
        let bench = try Bench.current()
        let nsrun = "\(bench.nsrun) --preset hpc --rootfs \(bench.rootfs) --"
        let shell = #"sh -c "$SCRIPT""#
        let words = ["sh", "-c", "\(preparation); exec \(shell)"]
        let plain = try run(words, environment: ["SCRIPT": script])
        #expect(plain.status == 0 && plain.output != "")
        expect(
            try run(
                ["sh", "-c", "\(preparation); exec \(nsrun) \(shell)"],
                environment: ["SCRIPT": script]), plain)
    }

    @Test func theProgramHasTheProcess() throws {
        let bench = try Bench.current()
        let run = try Conversation([
            bench.nsrun, "--preset", "hpc", "--rootfs", bench.rootfs, "sh", "-c",
            "trap 'echo checkpoint' USR1; echo $$ $PPID; while :; do read -r x && echo $x; done",
        ])
        #expect(run.line() == "\(run.child.pid) \(getpid())")
        run.child.send(SIGUSR1)
        #expect(run.line() == "checkpoint")
        // Once: the next line is another one's.
        run.say("next")
        #expect(run.line() == "next")
        run.child.send(SIGTERM)
        #expect(run.child.wait() == 128 + SIGTERM)
    }

    @Test func descriptorsAreKept() throws {
        let seen = try inJob(
            "cat <&$PMI_FD; for n in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$n ] || echo $n; done",
            environment: ["PMI_FD": "9"], descriptors: [3: "three\n", 9: "nine\n"])
        expect(seen, prints: "nine\n0\n1\n2\n3\n9")
    }

    @Test func limitsAndBindingAreUntouched() throws {
        try expectSame(
            "ulimit -Sa; ulimit -Ha", after: "ulimit -Sn 77; ulimit -c 0; ulimit -s 4096")
        try expectSame(
            "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status",
            after:
                "set -- $(taskset -cp $$ | sed 's/.*: //; s/[,-].*//'); taskset -cp $1 $$ >/dev/null"
        )
        try expectSame("grep -E '^Sig(Blk|Ign)' /proc/self/status", after: "trap '' HUP")
        try expectSame("cat /proc/self/oom_score_adj; umask", after: "umask 037")
    }

    @Test func theCallersIDsAndGroups() throws {
        try expectSame("id -u; id -g; id -un; grep ^Groups /proc/self/status | wc -w")
        // Of a group that is not the caller's first, who is made of subordinate ids. The store and perhaps the
        // checkout are for their owner alone, so he finds a root and an nsrun elsewhere.
        let bench = try Bench.current()
        let script = """
            cp \(bench.nsrun) /tmp/nsrun; chmod 755 /tmp/nsrun; cd /tmp
            echo 'for the group' >file; chown 0:7 file; chmod 640 file
            for groups in 7,8 8,9; do
                HOME=/nonexistent setpriv --reuid 5 --regid 5 --groups $groups -- \
                    ./nsrun --preset hpc --rootfs /mnt cat /tmp/file
            done
            """
        let seen = try nsrun([
            "--map-auto", "--uid", "0", "--gid", "0", "--ro-bind", bench.rootfs, "/mnt",
            "--", "sh", "-c", script,
        ])
        expect(
            seen,
            Outcome(
                status: 1, output: "for the group", error: "cat: /tmp/file: Permission denied"))
    }

    @Test func placesAreTheHosts() throws {
        for place in ["/tmp", "/var/tmp", "/dev/shm", NSHomeDirectory()] {
            let folder = try TemporaryDirectory(in: place)
            try folder.write("outside\n", to: "there")
            let seen = try inJob("cat \(folder / "there"); echo inside >\(folder / "made")")
            expect(seen, prints: "outside")
            #expect(folder.content("made") == "inside\n")
        }
        try expectSame("readlink /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/ipc")
        try expectSame("ls /sys /sys/class; stat -c %D /sys /proc /dev /dev/shm; ls /dev /proc/1")
    }

    @Test func theCurrentDirectoryIsKept() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        expect(try inJob("pwd; echo x >made", directory: folder.path), prints: folder.path)
        #expect(folder.content("made") == "x\n")
    }

    /// Whatever the environment of the job names, also where the root has no such place.
    @Test(arguments: ["SLURM_SUBMIT_DIR", "PMIX_SERVER_TMPDIR", "PMI_DIR", "TMPDIR", "SCRATCH"])
    func directoriesOfTheJob(variable: String) throws {
        let bench = try Bench.current()
        let script = """
            mkdir -p /scratch/17 /other/17; echo outside >/scratch/17/there
            \(variable)=/scratch/17 OTHER=/other/17 \
                \(bench.nsrun) --preset hpc --rootfs \(bench.rootfs) -- sh -c '
                    cat /scratch/17/there; echo inside >/scratch/17/made; echo $\(variable)
                    ls /other 2>&1 | sed "s/.*: //"'
            cat /scratch/17/made
            """
        let seen = try onHost(script, ["--ephemeral"])
        expect(seen, prints: "outside\n/scratch/17\nNo such file or directory\ninside")
    }

    /// Lists of hosts and the like, wherever the resource manager keeps them.
    @Test(arguments: [
        ("PBS_NODEFILE", "/var/spool/pbs/aux/17.server", ""),
        ("PE_HOSTFILE", "/var/spool/sge/node/active_jobs/17.1/pe_hostfile", ""),
        ("LSB_DJOB_HOSTFILE", "/lsf/tmp/17.hostfile", ""), ("LSF_SERVERDIR", "/lsf/etc/x", ""),
        ("SLURM_CONF", "/etc/slurm/slurm.conf", ""), ("FLUX_URI", "/run/flux/local", "local://"),
        ("OAR_NODEFILE", "/var/lib/oar/17", ""),
    ])
    func filesOfTheJob(variable: String, file: String, scheme: String) throws {
        let bench = try Bench.current()
        let script = """
            mkdir -p \((file as NSString).deletingLastPathComponent); echo outside >\(file)
            \(variable)=\(scheme)\(file) \
                \(bench.nsrun) --preset hpc --rootfs \(bench.rootfs) -- sh -c 'cat \(file); echo $\(variable)'
            """
        let seen = try onHost(
            script,
            ["--ephemeral", "--tmpfs", "/run", "--tmpfs", "/var/spool", "--tmpfs", "/var/lib"])
        expect(seen, prints: "outside\n\(scheme)\(file)")
    }

    /// A socket answers there.
    @Test func socketsOfTheJob() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let socket = try Session.listen(at: folder / "local")
        defer { close(socket) }
        let seen = try inJob(
            Session.connect([folder / "local"]),
            environment: ["FLUX_URI": "local://" + folder / "local", "HOME": "/nonexistent"])
        expect(seen, prints: "connected")
    }

    @Test func programsOfTheHostAreNotTheJobs() throws {
        let seen = try inJob(
            "cmp -s /bin/true /bin/false || echo own",
            environment: ["PBS_O_SHELL": "/bin/sh", "LSB_X": "/usr/bin/true"])
        expect(seen, prints: "own")
    }

    // MARK: Time

    /// The root's own zones stay what they are.
    @Test(arguments: MountPath.allCases)
    func theTimeZoneIsTheHosts(path: MountPath) throws {
        let bench = try Bench.current()
        let root = try BareRoot(with: ["cat"])
        try root.directory.write("UTC's\n", to: "usr/share/zoneinfo/UTC")
        try root.directory.makeDirectory("etc")
        try root.directory.link("etc/localtime", to: "/usr/share/zoneinfo/UTC")
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write("the host's\n", to: "zone")
        try folder.write("Host/Zone\n", to: "name")
        let script = "cat /etc/localtime /etc/timezone /usr/share/zoneinfo/UTC"
        for layer in [[], ["--ephemeral"]] {
            let inner =
                [bench.nsrun, "--preset", "hpc", "--rootfs", root.path] + path.options + layer
                + ["sh", "-c", script]
            let seen = try nsrun(
                ["--bind", root.path, root.path, "--ro-bind", folder / "zone", "/etc/localtime"]
                    + ["--ro-bind", folder / "name", "/etc/timezone"] + inner)
            expect(seen, prints: "the host's\nHost/Zone\nUTC's")
        }
        #expect(root.directory.content("usr/share/zoneinfo/UTC") == "UTC's\n")
        #expect(root.directory.content("etc/timezone") == nil)
    }

    @Test func theSpoolDirectoryOfTheJobsDaemon() throws {
        let bench = try Bench.current()
        let script = """
            mkdir -p /var/spool/slurmd; echo outside >/var/spool/slurmd/there
            \(bench.nsrun) --preset hpc --rootfs \(bench.rootfs) cat /var/spool/slurmd/there
            """
        expect(try onHost(script, ["--tmpfs", "/var/spool"]), prints: "outside")
    }
}
