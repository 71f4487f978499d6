// SPDX-License-Identifier: Apache-2.0

/// How a program is put into its root.
public enum Engine: Sendable, Equatable, CaseIterable {
    /// Namespaces and mounts: the kernel shows the program its root and nothing else.
    case namespaces
    /// The root's own loader and libfakechroot, which translates the paths of library calls.
    case fakechroot
    /// proot(1), which translates the paths of system calls by ptrace(2).
    case proot

    public var name: String {
        switch self {
        case .namespaces: "userns"
        case .fakechroot: "fakechroot"
        case .proot: "proot"
        }
    }

    public init?(named name: ByteString) {
        for engine in Engine.allCases where ByteString(engine.name) == name {
            self = engine
            return
        }
        return nil
    }
}

/// What a request may ask for that needs namespaces, so that other engines cannot honour it. What a view
/// does by itself is not here: that is dropped, see ``EngineRun/losses``.
public enum EngineFeature: Int, Sendable, CaseIterable {
    case network, hostname, ipc, cgroup, readOnlyBinds, messageQueues, memoryLayer, keptLayer
    case overlays, identity, ranges, fakeRoot, capabilities, filters, locks, heldDescriptors
    case reports, otherNamespaces, nestedNamespaces, labels, pidOne, hostPrograms, emulators
    case rootDescriptor, writableRoot, hostRoot, modes, sizes, images, joins
    case devices, limits

    /// The engine does it in its own way.
    public func isHonoured(by engine: Engine) -> Bool {
        switch engine {
        case .namespaces: true
        case .fakechroot: self == .filters
        case .proot:
            self == .identity || self == .fakeRoot || self == .emulators || self == .writableRoot
                || self == .hostRoot
        }
    }
}

extension LaunchRequest {
    /// The features of ``EngineFeature`` that are asked for in so many words.
    public var engineFeatures: [EngineFeature] {
        var found: [EngineFeature] = []
        func add(_ feature: EngineFeature, _ isAsked: Bool) {
            if isAsked, !found.contains(feature) { found.append(feature) }
        }
        add(.network, newNamespaces.contains(.network))
        add(.hostname, namespaces.hostname != nil || namespaces.new.contains(.uts))
        add(.ipc, namespaces.new.contains(.ipc))
        add(.cgroup, namespaces.new.contains(.cgroup))
        add(.memoryLayer, root.layer == .memory)
        if case .directory = root.layer { add(.keptLayer, true) }
        add(.identity, identity.user != nil || identity.group != nil)
        add(.ranges, identity.needsHelpers)
        add(.fakeRoot, identity.fakesRoot || identity.fakesDeviceNodes)
        add(.capabilities, identity.capabilities.contains { $0.gives })
        add(.filters, !program.filters.isEmpty || program.systemCalls != .all)
        add(.heldDescriptors, !lifecycle.heldDescriptors.isEmpty)
        add(
            .reports,
            lifecycle.infoDescriptor != nil || lifecycle.statusDescriptor != nil
                || lifecycle.mapsDescriptor != nil)
        add(
            .otherNamespaces,
            namespaces.enteredUser != nil || namespaces.enteredPID != nil
                || namespaces.finalUser != nil || namespaces.enteredNetwork != nil)
        add(.nestedNamespaces, namespaces.forbidsNestedUser || namespaces.requiresNoNestedUser)
        add(.labels, program.label != nil || files.label != nil)
        add(.pidOne, lifecycle.commandIsPidOne)
        add(.hostPrograms, program.runsHostProgram)
        add(.emulators, !program.emulators.isEmpty)
        add(.rootDescriptor, root.descriptor != nil)
        add(.joins, namespaces.join != nil)
        add(.devices, devices.isAsked)
        add(.limits, !limits.isEmpty)
        if case .rootfs = root.view { add(.writableRoot, root.layer == .writable) }
        add(.hostRoot, files.showsHostRoot)
        add(.readOnlyBinds, !files.readable.isEmpty)
        for operation in files.operations {
            switch operation.action {
            case .bind(_, _, let options): add(.readOnlyBinds, options.contains(.readOnly))
            case .bindData(_, _, _, let readOnly): add(.readOnlyBinds, readOnly)
            case .remountReadOnly: add(.readOnlyBinds, true)
            case .mqueue: add(.messageQueues, true)
            case .overlay: add(.overlays, true)
            case .lockFile: add(.locks, true)
            case .changeMode: add(.modes, true)
            case .tmpfs(_, _, let size): add(.sizes, size != nil)
            case .proc, .dev, .directory, .file, .symlink: continue
            }
        }
        return found
    }
}

extension LaunchRequest {
    /// Reads the descriptors that files are made of. It can be done once only, and more than one engine may
    /// be tried.
    public mutating func readContents() throws(LaunchError) {
        for index in files.operations.indices {
            switch files.operations[index].action {
            case .file(.descriptor(let number), let target, let mode):
                let content = try readContent(number, for: target)
                files.operations[index].action = .file(content: content, target: target, mode: mode)
            case .bindData(.descriptor(let number), let target, let mode, let readOnly):
                let content = try readContent(number, for: target)
                files.operations[index].action = .bindData(
                    content: content, target: target, mode: mode, readOnly: readOnly)
            case .bind, .tmpfs, .proc, .dev, .mqueue, .overlay, .directory, .file, .bindData,
                .symlink, .changeMode, .remountReadOnly, .lockFile:
                continue
            }
        }
    }

    private mutating func readContent(
        _ number: Int32, for target: ByteString
    ) throws(LaunchError) -> FileSystemOperation.Content {
        program.closedDescriptors.append(number)
        switch HostFile.read(descriptor: number, limit: 1 << 30) {
        case .content(let bytes): return .bytes(bytes)
        case .failure(let reason, let remedy):
            throw LaunchError(
                .setup, "cannot read descriptor \(number) for \(target.text): \(reason)",
                remedy: remedy)
        }
    }
}

extension CapabilityChange {
    fileprivate var gives: Bool {
        switch self {
        case .add, .addAll: true
        case .drop, .dropAll: false
        }
    }
}
