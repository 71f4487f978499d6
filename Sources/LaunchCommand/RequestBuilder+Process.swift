// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The options about namespaces, identity, environment and the process itself.
extension RequestBuilder {
    mutating func apply(_ option: OptionID.Namespace, _ parsed: ParsedOption) throws(UsageError) {
        switch option {
        case .unshareUser:
            unsharesUser = true
            result.request.namespaces.new.insert(.user)
        case .userns: result.request.namespaces.enteredUser = try Value.descriptor(parsed, 0)
        case .userns2: result.request.namespaces.finalUser = try Value.descriptor(parsed, 0)
        case .pidns: result.request.namespaces.enteredPID = try Value.descriptor(parsed, 0)
        case .netns: result.request.namespaces.enteredNetwork = try Value.descriptor(parsed, 0)
        case .scopeAbstract: result.request.namespaces.abstractSockets = .scoped
        case .scopeAbstractTry:
            if result.request.namespaces.abstractSockets == .all {
                result.request.namespaces.abstractSockets = .scopedIfPossible
            }
        case .disableUserns: result.request.namespaces.forbidsNestedUser = true
        case .assertUsernsDisabled: result.request.namespaces.requiresNoNestedUser = true
        case .seccomp, .addSeccomp: try addFilter(parsed)
        case .seccompProfile:
            let name = parsed.values[0]
            if name.isEmpty { throw UsageError("--seccomp-profile: the path is empty") }
            result.request.program.systemCalls = name == "default" ? .standard : .file(name)
        case .execLabel: result.request.program.label = parsed.values[0]
        case .fileLabel: result.request.files.label = parsed.values[0]
        case .notASecurityBoundary: result.request.files.toleratesSubmounts = true
        case .unshareUserTry:
            triesUser = true
            result.request.namespaces.optional.insert(.user)
        case .unshareIPC: result.request.namespaces.new.insert(.ipc)
        case .unsharePID:
            result.request.namespaces.new.insert(.pid)
            unsharesPID = true
        case .unshareNetwork:
            unsharesNetwork = true
            unshareNetwork()
        case .unshareUTS: result.request.namespaces.new.insert(.uts)
        case .unshareCgroup: result.request.namespaces.new.insert(.cgroup)
        case .unshareCgroupTry: result.request.namespaces.optional.insert(.cgroup)
        case .unshareAll:
            unsharesPID = true
            result.request.namespaces.new.formUnion([.ipc, .pid, .uts])
            unshareNetwork()
            result.request.namespaces.optional.formUnion([.user, .cgroup])
        case .shareNetwork:
            result.request.network = .host
            otherNetwork = "--share-net"
        case .sharePID:
            result.request.namespaces.new.remove(.pid)
            unsharesPID = false
        case .procFallback: result.request.namespaces.proc = .outerWhereRefused
        case .join:
            let name = parsed.values[0]
            result.request.namespaces.join = name == "auto" ? .jobStep : .named(name)
        case .network:
            result.request.network = try network(parsed.values[0])
            otherNetwork =
                result.request.network == .none ? nil : "--network \(parsed.values[0].text)"
        case .allowHost: try allow(parsed.values[0])
        case .hostname: result.request.namespaces.hostname = parsed.values[0]
        case .uid: result.request.identity.user = try Value.id(parsed)
        case .gid: result.request.identity.group = try Value.id(parsed)
        case .fakeRoot: result.request.identity.fakesRoot = true
        case .mapAuto: result.request.identity.mapsSubordinates = true
        case .mapUsers: result.request.identity.users.append(try Value.range(parsed))
        case .mapGroups: result.request.identity.groups.append(try Value.range(parsed))
        case .capAdd:
            result.request.identity.capabilities.append(
                Value.namesAll(parsed) ? .addAll : .add(try Value.capability(parsed)))
        case .capDrop:
            result.request.identity.capabilities.append(
                Value.namesAll(parsed) ? .dropAll : .drop(try Value.capability(parsed)))
        }
    }

    /// One that pasta connects is one of the run's own already.
    private mutating func unshareNetwork() {
        guard result.request.network == .host else { return }
        result.request.network = .none
        otherNetwork = nil
    }

    private mutating func allow(_ text: ByteString) throws(UsageError) {
        do throws(LaunchError) {
            allowedHosts.append(try AllowedHost(parsing: text))
        } catch {
            throw UsageError(error.message, remedy: error.remedy)
        }
        result.request.network = .relay(to: allowedHosts)
    }

    private func network(_ name: ByteString) throws(UsageError) -> Network {
        switch name {
        case "host": .host
        case "none": .none
        case "pasta": .pasta()
        default:
            if name.hasPrefix("pasta=") {
                .pasta(ports: try ports(name.slice(from: 6)))
            } else {
                throw UsageError(
                    "--network: unknown kind \"\(name.text)\"",
                    remedy: "host, none, pasta or pasta=PORT[:INSIDE],...")
            }
        }
    }

    private func ports(_ list: ByteString) throws(UsageError) -> [PassedPort] {
        var ports: [PassedPort] = []
        for part in list.split(on: UInt8(ascii: ",")) {
            guard let port = PassedPort(parsing: part) else {
                throw UsageError(
                    "--network: \"\(part.text)\" passes on no port",
                    remedy: "pasta=8080 or pasta=8080:80, from 1 to 65535, of the host and inside")
            }
            if ports.contains(where: { $0.outside == port.outside }) {
                throw UsageError("--network: port \(port.outside) is passed on twice")
            }
            ports.append(port)
        }
        return ports
    }

    mutating func apply(_ option: OptionID.Process, _ parsed: ParsedOption) throws(UsageError) {
        let values = parsed.values
        switch option {
        case .setenv:
            if values[0].contains(UInt8(ascii: "=")), !personality.isBubblewrap {
                throw UsageError(
                    "--setenv takes NAME and VALUE as two words, not \(values[0].text)",
                    remedy: "--setenv \(values[0].split(on: UInt8(ascii: "="))[0].text) VALUE")
            }
            result.request.program.environment.changes.append(
                .set(name: values[0], value: values[1]))
        case .unsetenv: result.request.program.environment.changes.append(.unset(name: values[0]))
        case .clearenv: result.request.program.environment.changes.append(.clear)
        case .cleanEnvironment: result.request.program.environment.start = .clean
        case .environmentFile:
            result.request.program.environment.changes += try EnvironmentFile.read(values[0])
        case .chdir:
            if values[0].isEmpty { throw .emptyPath(parsed) }
            result.request.program.workingDirectory = values[0]
        case .argument0: result.request.program.argument0 = values[0]
        case .newSession: result.request.lifecycle.newSession = true
        case .dieWithParent:
            result.request.lifecycle.diesWithParent = true
            followsParent = true
        case .linger: result.request.lifecycle.lingers = true
        case .detach: result.isDetached = true
        case .log:
            if values[0].isEmpty { throw .emptyPath(parsed) }
            result.log = values[0]
        case .forwardSignals: forwardsSignals = true
        case .asPidOne: result.request.lifecycle.commandIsPidOne = true
        case .timeout:
            let limit = try Value.duration(parsed)
            result.request.lifecycle.timeout = limit == 0 ? nil : limit  // as timeout(1): no limit
            hasTimeout = true
        case .killAfter:
            result.request.lifecycle.killAfter = try Value.duration(parsed)
            hasKillAfter = true
        case .rlimit:
            let limit = try Value.limit(parsed)
            result.request.program.limits.removeAll { $0.resource == limit.resource }
            result.request.program.limits.append(limit)
        case .groupLimit:
            if personality.isBubblewrap { throw UsageError("Unknown option --limit") }
            try Value.addGroupLimits(parsed, to: &result.request.limits)
        }
    }
}
