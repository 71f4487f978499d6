// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What the processes have in common that a resource manager or an MPI launcher started together on this
/// machine.
enum JobStep {
    /// The most specific name that the environment gives: an MPI job may be one of several in a step, a step
    /// one of several in a job. Without any, what one parent starts belongs together.
    static func name(in facts: HostFacts) -> ByteString? {
        // Of PMIx (Open MPI from 2.0 on, PRRTE, Slurm's pmix), of Open MPI before, of PMI.
        for (kind, variable) in variables {
            if let value = facts.variable(variable), !value.isEmpty {
                return kind + shortened(value)
            }
        }
        if let job = facts.variable("SLURM_JOB_ID"), let step = facts.variable("SLURM_STEP_ID") {
            return "slurm " + shortened(job + "." + step)
        }
        return facts.parent.map { "parent " + $0 }
    }

    private static let variables: [(ByteString, StaticString)] = [
        ("pmix ", "PMIX_NAMESPACE"), ("ompi ", "OMPI_MCA_ess_base_jobid"),
        ("ompi ", "OMPI_MCA_orte_ess_jobid"), ("pmi ", "PMI_JOBID"),
    ]

    /// A name has an end; what is longer is told apart by a hash.
    private static func shortened(_ value: ByteString) -> ByteString {
        if value.count <= 48 { return value }
        return value.slice(from: 0, to: 32) + value.hashText
    }
}

extension ByteString {
    /// FNV-1a, in hexadecimal digits.
    var hashText: ByteString {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return ByteString(String(hash, radix: 16))
    }
}

extension HostFacts {
    /// The group of those who have the same root and keep its changes in the same directory, wherever their paths begin.
    static func layerGroup(of request: LaunchRequest) -> ByteString? {
        guard request.mayShareLayer, case .rootfs(let root) = request.root.view,
            case .directory(let layer) = request.root.layer,
            let root = HostFile.canonicalPath(root)
        else { return nil }
        // The first of them makes it.
        var place = HostFile.canonicalPath(layer)
        if place == nil, let parent = HostFile.canonicalPath(layer.parent ?? ".") {
            place = parent.appending(path: layer.lastComponent)
        }
        guard let place else { return nil }
        let hash = (root + "\n" + place).hashText
        let name = root.lastComponent.bytes.filter { $0 > 0x20 && $0 < 0x7f }
        return "toolbox-" + ByteString(bytes: Array(name.prefix(24))) + "-"
            + hash.slice(from: 0, to: min(8, hash.count))
    }

    /// The parent of this process by its pid and the time of its start, so that no later process has the
    /// same name (proc_pid_stat(5)).
    static func readParent() -> ByteString? {
        let parent = getppid()
        guard parent > 0 else { return nil }
        guard let text = readFile(ByteString("/proc/\(parent)/stat"), limit: 4096),
            let end = text.lastIndex(of: UInt8(ascii: ")"))
        else { return ByteString("\(parent)") }
        let fields = ByteString(bytes: Array(text[(end + 1)...])).split(on: UInt8(ascii: " "))
        guard fields.count > 20 else { return ByteString("\(parent)") }
        return ByteString("\(parent)-") + fields[20]
    }
}
