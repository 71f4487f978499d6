// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// The control group of a run with limits: made before the run, which is cloned into it, and removed by a process beside
/// it when nobody is in it any more.
struct LimitedGroup {
    private var group: MadeGroup
    private let limits: Limits
    /// Whatever is in it ends with the run's first process.
    private let endsWithRun: Bool
    /// To who removes it, -1 when that is done.
    private var keeper: Int32 = -1

    /// Nanoseconds in which the last processes are gone.
    private static let patience: Int64 = 10_000_000_000

    var descriptor: Int32 { group.descriptor }
    var keeperDescriptor: Int32 { keeper }

    /// Nil for a plan without limits; otherwise prepares it.
    init?(_ plan: inout LaunchPlan) throws(LaunchError) {
        if plan.limits.isEmpty { return nil }
        limits = plan.limits
        endsWithRun =
            plan.namespaces.contains(.pid) && !plan.lifecycle.lingers && plan.joinIndex == nil
        group = try MadeGroup.make(for: limits, mayMove: plan.mayMoveLauncher)
        let error = withCString(group.path) { nsrun_keep_group($0, group.descriptor, &keeper) }
        do throws(LaunchError) {
            if error != 0 { throw GroupRefusal(limits: limits).unkept(-error) }
            try set(plan)
        } catch {
            close()
            throw error
        }
        plan.launcherDescriptors += [group.descriptor, keeper]
        show(in: &plan)
    }

    private func set(_ plan: LaunchPlan) throws(LaunchError) {
        if let memory = limits.memory {
            try write(String(bytes(memory)), to: "memory.max")
            if !tryToWrite("0", to: "memory.swap.max"), HostFacts.hasSwap {
                throw GroupRefusal(limits: limits).unlimitedSwap
            }
        }
        if let time = limits.processorThousandths {
            // Microseconds, of a tenth of a second.
            try write("\(time * 100) 100000", to: "cpu.max")
        }
        if let processes = limits.processes {
            // Pid 1, and for a while who keeps a group and who starts that.
            let own: UInt64 =
                (plan.shape == .childWithInit ? 1 : 0) + (plan.joinIndex == nil ? 0 : 2)
            try write("\(processes + own)", to: "pids.max")
        }
        if let rate = limits.bytesPerSecond {
            for disk in HostFacts.disks {
                try write("\(disk.text) rbps=\(rate) wbps=\(rate)", to: "io.max")
            }
        }
    }

    private func bytes(_ memory: Limits.Memory) -> UInt64 {
        switch memory {
        case .bytes(let bytes): bytes
        case .percent(let share): HostFacts.machinesMemory / 100 * share
        }
    }

    private func write(_ text: String, to file: ByteString) throws(LaunchError) {
        let error = put(text, in: file)
        if error != 0 { throw GroupRefusal(limits: limits).unset(file, -error) }
    }

    private func tryToWrite(_ text: String, to file: ByteString) -> Bool {
        put(text, in: file) == 0
    }

    private func put(_ text: String, in file: ByteString) -> Int32 {
        let text = ByteString(text)
        return withCString(file) { file in
            withCString(text) { nsrun_write_group(group.descriptor, file, $0, text.count) }
        }
    }

    /// Where the caller's own groups are shown, the run's stands in place of that of its launcher.
    private func show(in plan: inout LaunchPlan) {
        guard let own = OwnGroup.read() else { return }
        func shown(_ groups: [ControlGroups.Group]) -> [ControlGroups.Group] {
            groups.map {
                $0.mount == own.mount ? .init(directory: group.path, mount: $0.mount) : $0
            }
        }
        for index in plan.steps.indices {
            if case .holdGroups(let groups) = plan.steps[index].action {
                plan.steps[index].action = .holdGroups(shown(groups))
            } else if case .showGroups(let groups, let readOnly) = plan.steps[index].action {
                plan.steps[index].action = .showGroups(shown(groups), readOnly: readOnly)
            }
        }
    }

    // MARK: The end

    /// What the run was kept from so far.
    var met: MetLimits {
        MetLimits(
            killed: count("oom_kill", in: "memory.events"), refused: count("max", in: "pids.events")
        )
    }

    private func count(_ name: ByteString, in file: ByteString) -> UInt64 {
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
            let length = withCString(file) {
                nsrun_read_group(group.descriptor, $0, buffer.baseAddress!, 1023)
            }
            buffer[max(0, length)] = 0
            return ByteString(cString: buffer.baseAddress!)
        }
        for line in text.split(on: UInt8(ascii: "\n")) {
            let words = line.split(on: UInt8(ascii: " "))
            if words.count == 2, words[0] == name { return words[1].number() ?? 0 }
        }
        return 0
    }

    /// When the run has ended: the group goes, or is left to who waits for the last of it.
    mutating func end() {
        guard keeper >= 0 else { return }
        nsrun_let_group_go(keeper)
        // Where it has no processes it is removed at once.
        let isEmpty = endsWithRun || count("populated", in: "cgroup.events") == 0
        if isEmpty {
            while nsrun_poll3(keeper, -1, -1, Self.patience) != 0, nsrun_await(keeper) > 0 {}
            // Should somebody have killed who was to do it.
            _ = withCString(group.path) { nsrun_remove_group($0) }
        }
        close()
    }

    mutating func close() {
        for descriptor in [group.descriptor, keeper] where descriptor >= 0 {
            closeDescriptor(descriptor)
        }
        (group.descriptor, keeper) = (-1, -1)
    }
}

extension HostFacts {
    /// Bytes of memory that the machine has (proc_meminfo(5)).
    static var machinesMemory: UInt64 {
        let text = ByteString(bytes: readFile("/proc/meminfo", limit: 1 << 16) ?? [])
        let words = text.split(on: UInt8(ascii: "\n"))[0].split(on: UInt8(ascii: " "))
        return words.compactMap { $0.number() }.first.map { $0 * 1024 } ?? 0
    }

    /// Something may be swapped out: the list has a heading.
    static var hasSwap: Bool {
        let text = readFile("/proc/swaps", limit: 1 << 16) ?? []
        return text.count { $0 == UInt8(ascii: "\n") } > 1
    }

    /// The disks, by their numbers, `8:0`.
    static var disks: [ByteString] {
        let place: ByteString = "/sys/block"
        func line(_ file: ByteString) -> ByteString {
            ByteString(bytes: readFile(file, limit: 64) ?? []).split(on: UInt8(ascii: "\n"))[0]
        }
        return HostFile.names(in: place).compactMap { name in
            let disk = place.appending(path: name)
            let size = line(disk.appending(path: "size"))
            // In memory there is nothing to limit.
            if size == "0" || name.hasPrefix("ram") || name.hasPrefix("zram") { return nil }
            let numbers = line(disk.appending(path: "dev"))
            return numbers.isEmpty ? nil : numbers
        }
    }
}
