// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Why nothing can be mounted, or not this.
extension Diagnosis {
    /// Ubuntu's AppArmor lets the namespace be made and refuses the first mount in it.
    func isRefusedMount(_ step: Step, _ record: Record) -> Bool {
        let isDenied =
            record.code == EPERM
            || record.code == EACCES && record.call == NSRUN_CALL_STEP.rawValue
        guard isDenied, step.mounts || step.action == .isolateMounts else { return false }
        // An overlay is refused for reasons of its own, too.
        if case .overlay = step.action {
            if facts.lacksOverlays || HostRefusal.find() == .unknown { return false }
        }
        return !plan.steps[..<record.step].contains { $0.mounts }
    }

    /// A file system that is full says the same of what is written to it, an overlay's upper directory among them.
    func isTableFull(_ step: Step, _ record: Record) -> Bool {
        guard record.code == ENOSPC else { return false }
        if record.call == NSRUN_CALL_SOURCE.rawValue { return true }
        guard record.call == NSRUN_CALL_STEP.rawValue else { return false }
        if case .overlay(let overlay) = step.action { return overlay.upper == .memory }
        return step.mounts || step.action == .enterRoot
    }

    /// What is cloned hangs in a mount namespace of its own until it is attached.
    func tableFull(_ step: Step, _ record: Record) -> LaunchError {
        let isClone = record.call == NSRUN_CALL_SOURCE.rawValue
        let limits =
            isClone
            ? "sysctl user.max_mnt_namespaces"
            : "sysctls fs.mount-max and user.max_mnt_namespaces"
        return LaunchError(
            .setup,
            "cannot \(step.plainDescription): there are as many mounts as the \(limits) "
                + (isClone ? "allows" : "allow"),
            remedy: "end runs of yours, or ask the administrator for more", code: ENOSPC)
    }

    /// The call by which the classic way was chosen, and which took it that far.
    private func refusedCalls(_ record: Record) -> String {
        record.text.isEmpty
            ? "" : ": \(ByteString(bytes: record.text).text)(2) and mount(2) are both forbidden"
    }

    func mountsRefused(_ step: Step, _ record: Record) -> LaunchError {
        let (cause, remedy) = HostRefusal.find().words
        var error = LaunchError(
            .setup,
            "cannot \(step.plainDescription): mounting is refused (\(cause))"
                + refusedCalls(record),
            remedy: remedy, code: record.code)
        error.refusal = .setup
        return error
    }

    func proc(_ target: ByteString, _ record: Record) -> LaunchError {
        if record.code == EPERM, record.call == NSRUN_CALL_STEP.rawValue {
            var error = LaunchError(
                .setup,
                "cannot mount a fresh proc on \(target.text): parts of the outer /proc are masked, "
                    + "as container engines do",
                remedy: "\(words.shareProcesses), which keeps the outer /proc, or "
                    + "\(words.outerProc), which shows it beside processes of the run's own, or start "
                    + "the container with an unmasked /proc", code: EPERM)
            error.isOfMaskedProc = true
            return error
        }
        let step = Step(action: .fileSystem(.proc, target: target))
        return destination(step, record, nsrun_call(rawValue: record.call))
            ?? error("cannot \(step.description)", record.code)
    }

    func overlay(_ overlay: Step.Overlay, _ code: Int32) -> LaunchError {
        let what = "cannot \(overlay.description)"
        if facts.lacksOverlays {
            return LaunchError(
                .setup,
                "\(what): overlays without root need Linux 5.11 (this is "
                    + "\(facts.kernel.major).\(facts.kernel.minor))",
                remedy: "work on a copy of the rootfs that is writable", code: code)
        }
        if code == EINVAL, case .directories(let upper, _) = overlay.upper,
            let name = HostFile.unfitForLayers(upper)
        {
            return LaunchError(
                .setup, "\(what): \(upper.text) lies on \(name), which cannot keep the changes",
                remedy: "give a directory on a plain local file system (ext4, xfs, btrfs, tmpfs), "
                    + "or \(words.memoryLayer) to keep the changes in memory", code: code)
        }
        let remedy: String? =
            switch code {
            case ENODEV: "ask the administrator to load the overlay module (modprobe overlay)"
            case EINVAL:
                overlay.lower == ["/"]
                    ? "leave the rootfs out: a layer over the host goes around its mounts"
                    : overlay.upper == .memory
                        ? "an overlay cannot lie over a directory with mounts below it"
                        : "the file system that keeps the changes must be a plain local one (ext4, "
                            + "xfs, btrfs, tmpfs), not NFS or another overlay"
            case EBUSY: "another run uses the same layer; give each run its own"
            case EPERM, EACCES: "the directories must belong to you"
            case ENOSPC, EDQUOT: nil
            default:
                overlay.upper == .memory
                    ? "the layers must be directories of an ordinary file system"
                    : "\(words.memoryLayer) to keep the changes in memory"
            }
        return error(what, code, remedy)
    }
}
