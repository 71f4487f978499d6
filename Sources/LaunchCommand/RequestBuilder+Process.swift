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
        case .scopeAbstract: result.request.abstractSockets = .scoped
        case .scopeAbstractTry:
            if result.request.abstractSockets == .all {
                result.request.abstractSockets = .scopedIfPossible
            }
        case .disableUserns: result.request.namespaces.forbidsNestedUser = true
        case .assertUsernsDisabled: result.request.namespaces.requiresNoNestedUser = true
        case .seccomp, .addSeccomp: try addFilter(parsed)
        case .execLabel: result.request.executionLabel = parsed.values[0]
        case .fileLabel: result.request.fileLabel = parsed.values[0]
        case .notASecurityBoundary: result.request.toleratesSubmounts = true
        case .unshareUserTry:
            triesUser = true
            result.request.namespaces.optional.insert(.user)
        case .unshareIPC: result.request.namespaces.new.insert(.ipc)
        case .unsharePID:
            result.request.namespaces.new.insert(.pid)
            unsharesPID = true
        case .unshareNetwork:
            unsharesNetwork = true
            result.request.namespaces.new.insert(.network)
        case .unshareUTS: result.request.namespaces.new.insert(.uts)
        case .unshareCgroup: result.request.namespaces.new.insert(.cgroup)
        case .unshareCgroupTry: result.request.namespaces.optional.insert(.cgroup)
        case .unshareAll:
            unsharesPID = true
            result.request.namespaces.new.formUnion([.ipc, .pid, .network, .uts])
            result.request.namespaces.optional.formUnion([.user, .cgroup])
        case .shareNetwork: try applyNetwork("host")
        case .sharePID:
            result.request.namespaces.new.remove(.pid)
            unsharesPID = false
        case .procFallback: result.request.proc = .outerWhereRefused
        case .join:
            let name = parsed.values[0]
            result.request.join = name == "auto" ? .jobStep : .named(name)
        case .network: try applyNetwork(parsed.values[0])
        case .hostname: result.request.hostname = parsed.values[0]
        case .uid: result.request.identity.user = try Value.id(parsed)
        case .gid: result.request.identity.group = try Value.id(parsed)
        case .fakeRoot: result.request.fakesRoot = true
        case .mapAuto: result.request.identity.mapsSubordinates = true
        case .mapUsers: result.request.identity.users.append(try Value.range(parsed))
        case .mapGroups: result.request.identity.groups.append(try Value.range(parsed))
        case .capAdd:
            result.request.capabilities.append(
                Value.namesAll(parsed) ? .addAll : .add(try Value.capability(parsed)))
        case .capDrop:
            result.request.capabilities.append(
                Value.namesAll(parsed) ? .dropAll : .drop(try Value.capability(parsed)))
        }
    }

    private mutating func applyNetwork(_ name: ByteString) throws(UsageError) {
        switch name {
        case "host": result.request.namespaces.new.remove(.network)
        case "none", "pasta": result.request.namespaces.new.insert(.network)
        default:
            throw UsageError(
                "--network: unknown kind \"\(name.text)\"", remedy: "host, none or pasta")
        }
        result.request.connectsNetwork = name == "pasta"
    }

    mutating func apply(_ option: OptionID.Process, _ parsed: ParsedOption) throws(UsageError) {
        let values = parsed.values
        switch option {
        case .setenv:
            result.request.environment.changes.append(.set(name: values[0], value: values[1]))
        case .unsetenv: result.request.environment.changes.append(.unset(name: values[0]))
        case .clearenv: result.request.environment.changes.append(.clear)
        case .cleanEnvironment: result.request.environment.start = .clean
        case .environmentFile:
            result.request.environment.changes += try EnvironmentFile.read(values[0])
        case .chdir:
            if values[0].isEmpty { throw .emptyPath(parsed) }
            result.request.workingDirectory = values[0]
        case .argument0: result.request.argument0 = values[0]
        case .newSession: result.request.lifecycle.newSession = true
        case .dieWithParent: result.request.lifecycle.diesWithParent = true
        case .forwardSignals: forwardsSignals = true
        case .asPidOne: result.request.lifecycle.commandIsPidOne = true
        case .timeout:
            let limit = try Value.duration(parsed)
            result.request.lifecycle.timeout = limit == 0 ? nil : limit  // as timeout(1): no limit
            hasTimeout = true
        case .killAfter: result.request.lifecycle.killAfter = try Value.duration(parsed)
        case .rlimit:
            let limit = try Value.limit(parsed)
            result.request.limits.removeAll { $0.resource == limit.resource }
            result.request.limits.append(limit)
        }
    }
}
