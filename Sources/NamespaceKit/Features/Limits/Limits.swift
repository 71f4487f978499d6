// SPDX-License-Identifier: Apache-2.0

/// What all processes of a run may have of the machine together: by a control group of their own (cgroups(7), version 2),
/// made below one that is delegated to the caller, or in a scope that systemd's service manager makes for the launching
/// process. Where there is neither, the run is refused.
public struct Limits: Sendable, Equatable {
    public enum Memory: Sendable, Equatable {
        case bytes(UInt64)
        /// So many hundredths of the machine's.
        case percent(UInt64)
    }

    /// And no swap. What is more is not had: the kernel ends a process of the run.
    public var memory: Memory?
    /// The time of so many thousandths of a processor.
    public var processorThousandths: UInt64?
    /// Processes and threads; nsrun's own pid 1 is not counted.
    public var processes: UInt64?
    /// Bytes that are read from each disk in a second, and that are written to each.
    public var bytesPerSecond: UInt64?

    public init() {}

    public var isEmpty: Bool { self == Limits() }

    /// The kernel's controllers that see to it. What is written to a disk later is known by its memory.
    var controllers: [ByteString] {
        var names: [ByteString] = []
        if memory != nil || bytesPerSecond != nil { names.append("memory") }
        if processorThousandths != nil { names.append("cpu") }
        if processes != nil { names.append("pids") }
        if bytesPerSecond != nil { names.append("io") }
        return names
    }

    /// What is limited, in words.
    var subjects: String {
        var names: [ByteString] = []
        if memory != nil { names.append("memory") }
        if processorThousandths != nil { names.append("processors") }
        if processes != nil { names.append("processes") }
        if bytesPerSecond != nil { names.append("disks") }
        return names.joined(by: ", ").text
    }

    /// And how.
    var words: String {
        var words: [ByteString] = []
        switch memory {
        case .bytes(let bytes): words.append(ByteString("\(Self.size(bytes)) of memory"))
        case .percent(let share): words.append(ByteString("\(share)% of the machine's memory"))
        case nil: break
        }
        if let time = processorThousandths {
            words.append(
                ByteString(time == 1000 ? "1 processor" : "\(Self.thousandths(time)) processors"))
        }
        if let processes { words.append(ByteString(Self.count(processes))) }
        if let bytesPerSecond {
            words.append(ByteString("\(Self.size(bytesPerSecond)) a second for each disk"))
        }
        return words.joined(by: ", ").text
    }

    static func count(_ processes: UInt64) -> String {
        processes == 1 ? "1 process" : "\(processes) processes"
    }

    /// The largest unit that it is a whole number of.
    static func size(_ bytes: UInt64) -> String {
        var number = bytes
        for unit: StaticString in ["bytes", "KiB", "MiB", "GiB"] {
            if number % 1024 != 0 { return "\(number) \(unit)" }
            number /= 1024
        }
        return "\(number) TiB"
    }

    private static func thousandths(_ number: UInt64) -> String {
        if number % 1000 == 0 { return "\(number / 1000)" }
        var digits = Array(String(number % 1000 + 1000).utf8.dropFirst())
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return "\(number / 1000)." + String(decoding: digits, as: UTF8.self)
    }
}

/// What a run was kept from by its limits.
public struct MetLimits: Sendable, Equatable {
    /// Processes that the kernel has killed for want of memory.
    public var killed: UInt64 = 0
    /// Processes and threads that were not made.
    public var refused: UInt64 = 0

    /// A line for each.
    func lines(_ limits: Limits) -> [String] {
        var lines: [String] = []
        if killed > 0, let memory = limits.memory {
            var limit = Limits()
            limit.memory = memory
            lines.append(
                "the run has met its limit of \(limit.words): the kernel has killed "
                    + (killed == 1 ? "a process" : "\(killed) processes") + " of it")
        }
        if refused > 0, let processes = limits.processes {
            lines.append(
                "the run has met its limit of \(Limits.count(processes)): \(refused) more "
                    + (refused == 1 ? "was not made" : "were not made"))
        }
        return lines
    }
}

extension Planner {
    /// What no kernel could hold.
    func checkLimits() throws(LaunchError) {
        let limits = request.limits
        func refuse(_ what: String, _ remedy: String) -> LaunchError {
            LaunchError(.usage, "cannot limit \(what) to so little", remedy: "give " + remedy)
        }
        switch limits.memory {
        case .bytes(let bytes): if bytes < 1 << 20 { throw refuse("memory", "1M or more") }
        case .percent(let share):
            if !(1...100).contains(share) {
                throw LaunchError(
                    .usage, "cannot limit memory to \(share)% of the machine's",
                    remedy: "give 1% to 100%")
            }
        case nil: break
        }
        if let time = limits.processorThousandths, time < 10 {
            throw refuse("processors", "0.01 or more")
        }
        if limits.processes == 0 { throw refuse("processes", "1 or more") }
        if let rate = limits.bytesPerSecond, rate < 4096 { throw refuse("disks", "4K or more") }
    }

    /// A namespace of groups begins with the group that its maker is in, which the run's first process is only after the
    /// clone.
    mutating func planLimits(_ namespaces: inout NamespaceSet) {
        plan.limits = request.limits
        guard !request.limits.isEmpty, namespaces.contains(.cgroup), request.namespaces.join == nil
        else { return }
        namespaces.remove(.cgroup)
        add(.unshare(.cgroup))
    }

    /// In the host view the command could write to the files of its group, which are its user's. Elsewhere they are
    /// read-only.
    mutating func coverGroups() {
        guard !request.limits.isEmpty, !facts.isMachinesRoot else { return }
        switch request.root.layer {
        case .readOnly, .writable: break
        case .memory, .directory: return
        }
        let shown = facts.controlGroups?.groups.map { $0.mount } ?? []
        let first = plan.steps.count
        for place in facts.groupMounts where !shown.contains(place) {
            mount(place, place, [.readOnly, .inside])
        }
        markIncidental(from: first)
    }
}
