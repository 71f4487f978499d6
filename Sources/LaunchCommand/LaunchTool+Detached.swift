// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// `--detach`: a process of its own watches over the run, and tells this one when the command has started, or why not.
extension LaunchTool {
    /// Returns when the command has started and its name is printed.
    func detach(_ invocation: Invocation) throws(LaunchError) {
        var taken = try KeptWorld.names
        while true {
            let (name, attempt) = named(invocation, besides: taken)
            do throws(LaunchError) {
                try startDetached(attempt, name)
                return try HostProcess.print(name + "\n")
            } catch {
                // Somebody else has taken it just now.
                guard error.isOfTakenName else { throw error }
                taken.append(name)
            }
        }
    }

    /// The run that would be started, for `--explain`.
    func detached(_ invocation: Invocation) throws(LaunchError) -> Invocation {
        named(invocation, besides: try KeptWorld.names).1
    }

    private func named(
        _ invocation: Invocation, besides taken: [ByteString]
    ) -> (ByteString, Invocation) {
        let name = detachedName(of: invocation, besides: taken)
        var attempt = invocation
        if attempt.joinsByName {
            attempt.request.namespaces.join = .existing(name)
        } else {
            attempt.request.namespaces.join = taken.contains(name) ? .named(name) : .new(name)
        }
        return (name, attempt)
    }

    /// The group's, where one is given; else the command's, and a number where that is taken.
    private func detachedName(
        of invocation: Invocation, besides taken: [ByteString]
    ) -> ByteString {
        switch invocation.request.namespaces.join {
        case .named(let name), .existing(let name), .new(let name): return name
        case .jobStep, nil: break
        }
        let plain = (invocation.request.program.command.first ?? "run").lastComponent.bytes.filter {
            $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/")
        }
        var name = ByteString(bytes: Array(plain.prefix(24)))
        if name.isEmpty || name == "auto" || name.first == UInt8(ascii: ".") { name = "run" }
        if !taken.contains(name) { return name }
        var number = 2
        while taken.contains(name + ByteString("-\(number)")) { number += 1 }
        return name + ByteString("-\(number)")
    }

    private func startDetached(
        _ invocation: Invocation, _ name: ByteString
    ) throws(LaunchError) {
        // The words of who set the group up stay, where it is another.
        var isFirst = false
        if case .new = invocation.request.namespaces.join { isFirst = true }
        let log = try DetachedRun.openLog(invocation.log, name: name, anew: isFirst)
        defer { HostFile.close(log.descriptor) }
        let split: Int32?
        do throws(LaunchError) {
            split = try DetachedRun.split(log: log.descriptor)
        } catch {
            if invocation.log == nil, isFirst, !error.isOfTakenName { log.remove() }
            throw error
        }
        guard let channel = split else { return }
        // From here on in the process that stays.
        var invocation = invocation
        invocation.startDescriptor = channel
        do throws(LaunchError) {
            HostProcess.exit(try launchByEngine(invocation).status())
        } catch {
            if error.hasStarted {
                HostProcess.exit(fail(error.message, error.remedy, error.exitStatus))
            }
            DetachedRun.tell(error, hint(for: error, invocation), on: channel)
            HostProcess.exit(error.exitStatus)
        }
    }
}
