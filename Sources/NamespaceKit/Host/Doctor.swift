// SPDX-License-Identifier: Apache-2.0

import CHost

/// Finds out what this host allows by trying it: each probe is a real launch of a small plan.
public enum Doctor {
    /// What one probe found.
    public struct Finding: Sendable, Equatable {
        public var what: String
        public var works: Bool
        /// Without it nothing is isolated.
        public var isEssential: Bool
        public var detail: String
        public var remedy: String?

        /// A line, and an indented one with the remedy where it does not work.
        public var text: String {
            var text = (works ? "ok      " : isEssential ? "MISSING " : "missing ") + what
            if !detail.isEmpty { text += ": " + detail }
            text += "\n"
            if let remedy, !works { text += "          " + remedy + "\n" }
            return text
        }
    }

    /// Tries everything, in a child each. `mayMove`: this process may be put into a control group of its own, as that of
    /// nsrun is for a run with limits.
    public static func examine(mayMove: Bool = false) -> [Finding] {
        let facts = HostFacts.read(for: LaunchRequest())
        var findings = [
            Finding(
                what: "kernel", works: true, isEssential: false,
                detail: "Linux \(facts.kernel.major).\(facts.kernel.minor), \(facts.machine.text)")
        ]
        let namespaces = probe("user, mount and pid namespaces", essential: true) { _ in }
        findings.append(namespaces)
        findings.append(
            probe("run in place", essential: false) {
                $0.namespaces.new.remove(.pid)
            })
        findings.append(
            probe("network namespace", essential: false) {
                $0.network = .none
            })
        findings.append(
            probe("network through pasta", essential: false) {
                $0.network = .pasta()
            })
        findings.append(
            probe("ipc, uts and cgroup namespaces", essential: false) {
                $0.namespaces.new.formUnion([.ipc, .uts, .cgroup])
            })
        findings.append(
            probe("message queues", essential: false) {
                $0.namespaces.new.insert(.ipc)
                $0.files.operations = [.init(.mqueue(target: "/tmp/mqueue"))]
            })
        findings.append(
            probe("overlay in memory", essential: false) {
                $0.files.operations = [
                    .init(.overlay(target: "/tmp/overlay", lower: ["/usr"], upper: .memory))
                ]
            })
        findings.append(
            probe("own devices", essential: false) {
                $0.files.operations = [.init(.dev(target: "/tmp/dev"))]
            })
        findings.append(limits(mayMove))
        findings.append(binfmt())
        findings.append(image())
        findings.append(devices(DeviceRegistry(directories: [])))
        findings.append(interface("mount calls by descriptor (Linux 5.12)", facts.hasMountAPI))
        findings.append(interface("openat2 (Linux 5.6)", facts.hasOpenat2))
        findings.append(
            interface("detached root (Linux 6.15)", facts.hasDetachedMounts))
        findings.append(landlock(version: nsrun_landlock()))
        return findings + engines(namespacesWork: namespaces.works)
    }

    /// What specifications of the Container Device Interface there are. A host without devices lacks nothing.
    static func devices(_ registry: DeviceRegistry) -> Finding {
        var finding = Finding(
            what: "devices (CDI)", works: registry.damages.isEmpty, isEssential: false, detail: "")
        let names = registry.names()
        for name in names.prefix(8) {
            finding.detail += (finding.detail.isEmpty ? "" : ", ") + name
        }
        if names.count > 8 { finding.detail += " and \(names.count - 8) more" }
        if names.isEmpty { finding.detail = "none in \(registry.directoriesText)" }
        for damage in registry.damages {
            finding.detail += "; \(damage.place): \(damage.reason)"
            finding.remedy = "what cannot be read is passed over"
        }
        return finding
    }

    /// The wall behind the namespaces.
    static func landlock(version: UInt32) -> Finding {
        Finding(
            what: "Landlock", works: version >= 6, isEssential: false,
            detail: (version == 0 ? "none" : "version \(version)")
                + (version >= 9
                    ? ""
                    : version >= 6
                        ? "; sockets that have a path are closed by mounts alone (9: Linux 7.1)"
                        : "; abstract sockets are closed by a network of the run's own alone"),
            remedy: "version 6, of Linux 6.12, is a second wall; it may be missing from lsm=")
    }

    private static func interface(_ what: String, _ works: Bool) -> Finding {
        Finding(
            what: what, works: works, isEssential: false,
            detail: works ? "" : "nsrun does without, a little slower")
    }

    /// What is limited most, and what every service manager hands on.
    private static func limits(_ mayMove: Bool) -> Finding {
        probe(
            "limits by a control group", essential: false,
            plan: { $0.mayMoveLauncher = mayMove },
            {
                $0.limits.memory = .percent(50)
                $0.limits.processes = 1000
            })
    }

    /// A table of emulators of the run's own, with a record that nothing matches.
    private static func binfmt() -> Finding {
        var record = BinfmtRecord(Architecture.all[0], interpreter: "/bin/sh")
        record.magic = Array("nsrun-doctor".utf8)
        record.mask = []
        return probe(
            "binfmt_misc of a run's own (Linux 6.7)", essential: false,
            facts: { $0.emulation.records = [record] }, { _ in })
    }

    /// A root that is an empty squashfs: it stands if what is missing is the program.
    private static func image() -> Finding {
        var finding = Finding(what: "squashfs files", works: false, isEssential: false, detail: "")
        let bytes = RootImage.empty
        let file = bytes.withUnsafeBytes {
            nsrun_memory_file($0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard file >= 0 else { return finding }
        defer { closeDescriptor(file) }
        let path = ByteString("/proc/self/fd/\(file)")
        var request = LaunchRequest(command: ["/nothing"])
        request.root.view = .rootfs(path)
        do throws(LaunchError) {
            _ = try Launcher().launch(request).wait()
        } catch {
            finding.works = error.kind == .notFound
            finding.detail = finding.works ? "" : cause(of: error, on: path)
            finding.remedy = error.remedy
        }
        return finding
    }

    /// What an error says after the path that nobody has given.
    private static func cause(of error: LaunchError, on path: ByteString) -> String {
        let start = "cannot use the rootfs \(path.text): "
        guard error.message.utf8.starts(with: start.utf8) else { return error.message }
        return ByteString(error.message).slice(from: start.utf8.count).text
    }

    private static func probe(
        _ what: String, essential: Bool, facts changeFacts: (inout HostFacts) -> Void = { _ in },
        plan changePlan: (inout LaunchPlan) -> Void = { _ in },
        _ change: (inout LaunchRequest) -> Void
    ) -> Finding {
        var request = LaunchRequest(command: ["/bin/sh", "-c", "exit 0"])
        request.program.workingDirectory = "/"
        change(&request)
        var finding = Finding(what: what, works: false, isEssential: essential, detail: "")
        do throws(LaunchError) {
            var facts = HostFacts.read(for: request)
            changeFacts(&facts)
            var plan = try Planner.plan(request, on: facts)
            changePlan(&plan)
            let status = try Launcher().launch(plan, facts: facts).wait()
            finding.works = status == .exited(0)
            if !finding.works { finding.detail = "the probe ended with \(status.shellStatus)" }
        } catch {
            finding.detail = error.message
            finding.remedy = error.remedy
        }
        return finding
    }
}
