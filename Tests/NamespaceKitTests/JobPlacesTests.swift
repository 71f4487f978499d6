// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What `--preset hpc` shows of a job.
@Suite struct JobPlacesTests {
    private func facts(_ environment: [ByteString], directories: [ByteString]) -> HostFacts {
        var facts = HostFacts()
        facts.environment = ["HOME=/home/alice"] + environment
        facts.currentDirectory = "/home/alice/job"
        facts.jobDirectories = directories
        return facts
    }

    private var request: LaunchRequest {
        var request = LaunchRequest(command: ["hostname"])
        request.root.view = .rootfs("/srv/debian")
        request.apply(.hpc)
        return request
    }

    @Test func theEnvironmentNamesThem() {
        let facts = facts(
            [
                "SLURM_SUBMIT_DIR=/work/a//b/", "SLURM_JOB_ID=17", "PMIX_SERVER_TMPDIR=/var/lib/x",
                "PMI_FD=7", "SCRATCH=/scratch/alice", "TMPDIR=/local/17", "OTHER=/elsewhere",
            ], directories: [])
        #expect(
            Set(SessionPaths.job(of: facts).map(\.text)) == [
                "/var/spool/slurmd", "/work/a/b", "/var/lib/x", "/scratch/alice", "/local/17",
            ])
    }

    @Test(
        arguments: [
            ("PBS_NODEFILE=/var/spool/pbs/aux/17", "/var/spool/pbs/aux/17"),
            ("PE_HOSTFILE=/var/spool/sge/17", "/var/spool/sge/17"),
            ("SGE_ROOT=/opt/sge", "/opt/sge"),
            ("LSB_DJOB_HOSTFILE=/lsf/17", "/lsf/17"), ("LSF_ENVDIR=/lsf/conf", "/lsf/conf"),
            ("FLUX_URI=local:///run/flux/local", "/run/flux/local"), ("FLUX_X=ssh://host/run", nil),
            ("SLURM_CONF=/etc/slurm.conf", "/etc/slurm.conf"), ("PE_HOSTFILES=/x", nil),
            ("TMPDIRS=/x", nil), ("LSB_HOSTS=a b", nil),
        ] as [(String, ByteString?)])
    func whateverManagesTheJob(entry: String, place: ByteString?) {
        let places = SessionPaths.job(of: facts([ByteString(entry)], directories: []))
        #expect(places.filter { $0 != "/var/spool/slurmd" } == [place].compactMap { $0 })
    }

    /// A file is bound onto the root's own, unless that is a program's.
    @Test func filesAreShownByThemselves() throws {
        var facts = facts([], directories: ["/scratch"])
        facts.jobFiles = [
            "/etc/slurm.conf", "/scratch/hosts", "/tmp/hosts", "/bin/sh", "/usr/lib/pmi.so",
        ]
        facts.timeZone = ["/etc/localtime"]
        let plan = try Planner.plan(request, on: facts, as: .replaceable)
        let bound = plan.steps.filter { $0.coversLink }.compactMap { $0.target }
        #expect(bound == ["/etc/localtime", "/etc/slurm.conf"])
        #expect(plan.omissions.map(\.what) == ["/bin/sh", "/usr/lib/pmi.so"])
        var asRoot = request
        asRoot.identity.user = 0
        #expect(!(try Planner.plan(asRoot, on: facts).transcript.contains("localtime")))
    }

    @Test func theyAreBoundOnceAndOnlyWhereTheyAreNotShownAnyway() throws {
        let facts = facts(
            ["TMPDIR=/local/17"],
            directories: [
                "/tmp/x", "/scratch", "/home/alice/job", "/scratch/alice", "/usr/lib", "/local/17",
            ])
        let plan = try Planner.plan(request, on: facts, as: .replaceable)
        let bound = MountTree(plan).mounts.map(\.path.text)
        #expect(bound.contains("/scratch") && bound.contains("/local/17"))
        #expect(!bound.contains("/scratch/alice") && !bound.contains("/usr/lib"))
        #expect(!bound.contains("/tmp/x") && !bound.contains("/home/alice/job"))
        #expect(plan.omissions.map(\.what) == ["/usr/lib"])
        #expect(plan.environment.contains("TMPDIR=/local/17"))
    }

    @Test func nothingOfNsrunStays() throws {
        let plan = try Planner.plan(request, on: facts([], directories: []), as: .replaceable)
        #expect(plan.shape == .inPlace)
        let mounts = MountTree(plan).mounts
        for place: ByteString in ["/dev", "/proc", "/tmp", "/var/tmp", "/home/alice"] {
            let mount = try #require(mounts.first { $0.path == place })
            #expect(mount.source == place.text, "\(place.text) is the host's")
        }
    }
}
