// SPDX-License-Identifier: Apache-2.0

import CHost

extension Doctor {
    /// The engines that need no namespaces, each tried in the host's root as its first run in a rootfs tries it, and
    /// which of all a run would take.
    static func engines(namespacesWork: Bool) -> [Finding] {
        let fakechroot = probe(.fakechroot)
        let proot = probe(.proot)
        return [
            ptrace, fakechroot, proot,
            choice(namespaces: namespacesWork, fakechroot: fakechroot.works, proot: proot.works),
        ]
    }

    private static var ptrace: Finding {
        let works = nsrun_can_trace()
        return Finding(
            what: "ptrace", works: works, isEssential: false,
            detail: works ? "" : "it is refused here, and the engine proot needs it",
            remedy: "a seccomp filter around nsrun must allow it")
    }

    private static func probe(_ engine: Engine) -> Finding {
        var finding = Finding(
            what: "engine \(engine.name)", works: false, isEssential: false, detail: "")
        var request = LaunchRequest(command: ["/bin/sh"])
        request.program.workingDirectory = "/"
        do throws(LaunchError) {
            let run = try EngineRun(request, on: HostFacts.read(for: request), by: engine)
            let tool = try run.probe().text
            finding.works = true
            finding.detail =
                engine == .proot
                ? "\(tool), which keeps statx(2) and faccessat2(2) in the root"
                : "\(tool), which keeps children in the root; each rootfs is tried once more"
        } catch {
            finding.detail =
                ByteString(error.message)
                .without(prefix: "the engine \(engine.name) ").text
            finding.remedy = error.remedy
        }
        return finding
    }

    /// What `auto` comes to.
    static func choice(namespaces: Bool, fakechroot: Bool, proot: Bool) -> Finding {
        let taken: String? =
            if namespaces {
                "userns"
            } else if fakechroot {
                proot
                    ? "fakechroot, and proot for static programs"
                    : "fakechroot; static programs are refused"
            } else {
                proot ? "proot" : nil
            }
        return Finding(
            what: "engine auto", works: taken != nil, isEssential: false,
            detail: taken.map { "takes " + $0 } ?? "no engine is left",
            remedy: "one of the above must work")
    }
}

extension ByteString {
    fileprivate func without(prefix: String) -> ByteString {
        bytes.starts(with: prefix.utf8) ? slice(from: prefix.utf8.count) : self
    }
}
