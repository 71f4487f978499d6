// SPDX-License-Identifier: Apache-2.0

/// The steps of the command's own process: environment, working directory, privileges, program.
extension Planner {
    /// Host variables that would misdirect the programs of a foreign root.
    private static let misleading: [StaticString] = [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LOCPATH", "GCONV_PATH", "TMPDIR",
    ]
    /// Where a desktop's programs find modules built for the host's libraries.
    private static let modules: [StaticString] = [
        "GDK_PIXBUF_MODULEDIR", "GDK_PIXBUF_MODULE_FILE", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR",
        "GI_TYPELIB_PATH", "GST_PLUGIN_PATH", "GST_PLUGIN_SYSTEM_PATH", "GTK_EXE_PREFIX",
        "GTK_IM_MODULE_FILE", "GTK_PATH", "LIBGL_DRIVERS_PATH", "LIBVA_DRIVERS_PATH",
        "PYTHONHOME", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH", "VK_DRIVER_FILES",
        "VK_ICD_FILENAMES",
    ]
    private static let kept: [StaticString] = ["HOME", "PATH", "TERM", "LANG", "USER"]
    private static let standardPath: ByteString =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    mutating func planCommand() throws(LaunchError) {
        planEnvironment()
        planPackageManager()
        if hasOwnKeyring { add(.newKeyring) }
        // Pid 1 gives up what the command must not have, too, and the command inherits that.
        if plan.shape == .childWithInit { planPrivileges() }
        plan.commandStart = plan.steps.count
        if let descriptor = request.lifecycle.startDescriptor {
            add(.await(descriptor: descriptor), word(words.start))
            plan.closedDescriptors.append(descriptor)
        }
        for (number, descriptor) in request.program.standardDescriptors {
            add(.redirect(descriptor: descriptor, to: number))
        }
        plan.closedDescriptors +=
            request.lifecycle.ownDescriptors + request.program.closedDescriptors
        plan.closedDescriptors += plan.entered.map { $0.descriptor }
        if request.lifecycle.newSession {
            add(.newSession)
        } else if plan.processGroup == .ownSession, plan.shape == .childWithInit {
            // The kernel stops nothing in a group without anybody outside of it in the session to make it go on again.
            add(.processGroup)
        }
        for limit in request.program.limits { add(.limit(limit), word(words.limit)) }
        if facts.emulation.names32Bit { add(.personality32) }
        if plan.shape != .childWithInit { planPrivileges() }
        // Where the command may be, not where whoever sets up its root may.
        try planWorkingDirectory()
        if request.namespaces.requiresNoNestedUser {
            add(.assertNoUserNamespaces, word(words.assertNoNestedUser))
        }
        // Whoever cannot make a user namespace cannot mount either, unless he has kept the capability.
        if request.namespaces.abstractSockets != .all {
            add(.scopeAbstract(isRequired: request.namespaces.abstractSockets == .scoped))
        }
        if request.namespaces.scopesSockets {
            let paths = request.namespaces.forbidsNestedUser && keptCapabilities == 0
            add(.scope(paths: paths, allowed: paths ? facts.allowedSockets.paths : []))
        }
        for filter in request.program.filters { add(.filter(filter)) }
        if let filter = try request.program.systemCalls.program(on: facts) {
            add(.filter(filter), word(words.systemCalls))
        }
        if request.identity.fakesRoot || request.identity.fakesDeviceNodes {
            let filter = try SystemCallFilter.fakeRoot(onlyDevices: !request.identity.fakesRoot)
            add(.filter(filter), word(words.fakeRoot))
        }
        if request.isToSpareTerminal, facts.hasOpenTerminal {
            add(.filter(try SystemCallFilter.terminal()))
        }
        planProgram()
    }

    private var hasOwnKeyring: Bool {
        switch request.lifecycle.keyring {
        case .standard: if case .rootfs = request.root.view { true } else { false }
        case .own: true
        case .callers: false
        }
    }

    private var isRootInside: Bool { (request.user ?? facts.userID) == 0 }

    /// What the command keeps: a bit for each capability.
    var keptCapabilities: UInt64 {
        let all = hasUserNamespace ? Capabilities.all : facts.capabilities
        var wanted: UInt64 = 0
        if request.root.view == .empty {
            // bubblewrap leaves a caller who is root what he has outside, and adds nothing to it.
            if facts.userID == 0 { wanted = facts.capabilities }
        } else if request.user == 0, !request.identity.isOfImage {
            wanted = all  // root inside keeps what it has
        }
        for change in request.identity.capabilities {
            switch change {
            case .add(let number): wanted |= Capabilities.bit(number)
            case .drop(let number): wanted &= ~Capabilities.bit(number)
            case .addAll: wanted = all
            case .dropAll: wanted = 0
            }
        }
        return wanted & all
    }

    private mutating func planPrivileges() {
        let wanted = keptCapabilities
        // Root gets its capabilities back from execve(2); anybody else keeps them as ambient ones. bubblewrap's callers
        // who name any find them in every set, and others keep what their ids do.
        let isAmbient =
            request.root.view == .empty ? !request.identity.capabilities.isEmpty : !isRootInside
        let ambient = isAmbient ? wanted : 0
        add(.noNewPrivileges)
        add(.capabilities(.init(held: wanted, ambient: ambient, bounding: wanted)))
    }

    // MARK: Environment

    private mutating func planEnvironment() {
        var entries: [ByteString] = []
        switch request.program.environment.start {
        case .inherited:
            entries = facts.environment
            if case .rootfs = request.root.view {
                let temporary =
                    request.files.hostParts.contains(.job) ? facts.variable("TMPDIR") : nil
                entries.removeAll { entry in Planner.misleading.contains { isNamed(entry, $0) } }
                if let temporary { entries.append("TMPDIR=" + temporary) }
                entries = orientation.applied(to: entries)
                if request.files.hostParts.contains(.desktop) {
                    entries.removeAll { entry in Planner.modules.contains { isNamed(entry, $0) } }
                }
            }
        case .clean:
            entries = facts.environment.filter { entry in
                Planner.kept.contains { isNamed(entry, $0) }
            }
        case .empty: break
        }
        if case .rootfs = request.root.view { useSearchPath(in: &entries) }
        if request.root.view == .host { dropHiddenPlaces(from: &entries) }
        entries = request.program.environment.changes.applied(to: entries)
        plan.environment = deviceVariables.applied(to: entries)
    }

    /// Programs are looked for in the caller's places, as far as the root has them, and in those that every root has; the
    /// system's own are for who is root, as package managers want them.
    private func useSearchPath(in entries: inout [ByteString]) {
        guard let index = entries.firstIndex(where: { isNamed($0, "PATH") }) else { return }
        var places = entries[index].slice(from: 5).split(on: UInt8(ascii: ":"))
        places.removeAll { facts.foreignPrograms.contains($0) && !mayBeShown($0) }
        var standard: [ByteString] = ["/usr/local/bin", "/usr/bin", "/bin"]
        if isRootInside || request.identity.mapsSubordinates {
            standard += ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        }
        for place in standard where !places.contains(place) { places.append(place) }
        entries[index] = "PATH=" + places.joined(by: ":")
    }

    /// Something of the run's is mounted on the way to it.
    private func mayBeShown(_ place: ByteString) -> Bool {
        var shown = request.files.operations.compactMap { $0.action.mountPoint }
        if request.files.home == .bound, let home = facts.home { shown.append(home) }
        if request.files.bindsCurrentDirectory || request.files.bindsSourceTree,
            let here = facts.sourceTree ?? facts.currentDirectory
        {
            shown.append(here)
        }
        if request.files.showsHostRoot || request.program.runsHostProgram {
            shown.append("/run/host")
        }
        return shown.contains { place.isAtOrBelow($0) }
    }

    /// Directories for temporary files that the run's own hide: programs take what every system has instead.
    private func dropHiddenPlaces(from entries: inout [ByteString]) {
        let names: [StaticString] = ["TMPDIR", "TMP", "TEMP"]
        entries.removeAll { entry in
            names.contains { name in
                guard isNamed(entry, name) else { return false }
                let place = entry.slice(from: name.utf8CodeUnitCount + 1)
                return isHidden(place)
            }
        }
    }

    private func isNamed(_ entry: ByteString, _ name: StaticString) -> Bool {
        let length = name.utf8CodeUnitCount
        return entry.count > length && entry.bytes[length] == UInt8(ascii: "=")
            && entry.hasPrefix(name)
    }

    /// The value of a variable as the command will see it.
    private func variable(_ name: StaticString) -> ByteString? {
        for entry in plan.environment where isNamed(entry, name) {
            return entry.slice(from: name.utf8CodeUnitCount + 1)
        }
        return nil
    }

    /// apt gives its downloads to a user of its own and looks whether that worked; where it only
    /// appears to work, it is told to stay root.
    private mutating func planPackageManager() {
        guard request.identity.fakesRoot, case .rootfs = request.root.view,
            variable("APT_CONFIG") == nil
        else {
            return
        }
        plan.environment.append("APT_CONFIG=/run/nsrun-apt.conf")
    }

    // MARK: Working directory

    /// What asked for a directory that an image names.
    static let imageDirectory: ByteString = "the image's WORKDIR"

    private mutating func planWorkingDirectory() throws(LaunchError) {
        if let directory = request.program.workingDirectory {
            add(
                .changeDirectory([directory]),
                request.program.startsWhereImageSays
                    ? Planner.imageDirectory : word(words.directory))
            return
        }
        if request.root.view == .host || startsHere, !mayStandElsewhere {
            // Another directory than the caller's own would be a surprise that deletes files.
            guard let here = facts.currentDirectory else { throw facts.lackOfDirectory }
            add(.changeDirectory([here]))
            return
        }
        var candidates: [ByteString] = []
        if let here = facts.currentDirectory { candidates.append(here) }
        if let home = variable("HOME"), home.isAbsolute { candidates.append(home) }
        if candidates.last != "/" { candidates.append("/") }
        add(.changeDirectory(candidates))
    }

    // MARK: Program

    private mutating func planProgram() {
        if case .found(let program) = facts.hostProgram {
            planExecution(of: program)
            return
        }
        var candidates: [ByteString] = []
        plan.arguments = request.program.command
        if plan.arguments.isEmpty, let argument0 = request.program.argument0 {
            plan.arguments = [argument0]
        }
        if let name = request.program.command.first {
            if let argument0 = request.program.argument0 { plan.arguments[0] = argument0 }
            if name.contains(UInt8(ascii: "/")) {
                candidates = [name]
            } else {
                for directory in (variable("PATH") ?? Planner.standardPath).split(
                    on: UInt8(ascii: ":"))
                {
                    candidates.append(directory.isEmpty ? name : directory.appending(path: name))
                }
            }
        } else {
            // No command: the caller's shell where the root has it, else one that every root has.
            if let shell = variable("SHELL") ?? facts.account?.shell, shell.isAbsolute {
                candidates.append(shell)
            }
            candidates.append("/bin/bash")
            candidates.append("/bin/sh")
        }
        add(.execute(candidates))
    }
}

extension LaunchRequest.Program {
    /// Standard descriptors that are replaced, by number.
    fileprivate var standardDescriptors: [(Int32, Int32)] {
        var pairs: [(Int32, Int32)] = []
        if let standardInput { pairs.append((0, standardInput)) }
        if let standardOutput { pairs.append((1, standardOutput)) }
        if let standardError { pairs.append((2, standardError)) }
        return pairs
    }
}

extension Lifecycle {
    /// Descriptors that are the launcher's, not the command's.
    fileprivate var ownDescriptors: [Int32] {
        var own = heldDescriptors
        for descriptor in [mapsDescriptor, infoDescriptor, statusDescriptor] {
            if let descriptor { own.append(descriptor) }
        }
        return own
    }
}
