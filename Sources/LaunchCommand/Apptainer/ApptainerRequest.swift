// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// Turns settings into a request: the places that Apptainer shows, and who the command is.
struct ApptainerRequest {
    let settings: ApptainerSettings
    let image: ApptainerImage
    let host: ApptainerHost
    private(set) var request = LaunchRequest()
    var environment = ApptainerEnvironment()
    /// Where a command in an instance starts, as far as that is seen there; nil for what the request says.
    private var place: ByteString?
    private var home: ApptainerBind
    /// The host's home is seen inside.
    private var showsHome = false

    /// In the group of that name, where it is for one that is there.
    static func make(
        _ settings: ApptainerSettings, of image: ApptainerImage, for verb: ApptainerVerb,
        in group: ByteString? = nil, on host: ApptainerHost, _ notes: inout ApptainerNotes
    ) throws(ApptainerError) -> ApptainerRequest {
        var builder = ApptainerRequest(settings, image, host)
        builder.environment = try ApptainerEnvironment.make(
            settings, of: image, for: verb, home: builder.home.target, on: host, &notes)
        if let group {
            builder.join(group)
        } else {
            try builder.build(&notes)
        }
        return builder
    }

    /// What is seen is there already.
    private mutating func join(_ group: ByteString) {
        request.namespaces.join = .existing(group)
        request.namespaces.new = settings.namespaces
        if settings.hasNetwork { request.network = .none }
        request.lifecycle.keyring = .callers
        request.program.environment.start = .empty
        addIdentity()
        if let directory = settings.directory {
            request.program.workingDirectory = directory
        } else {
            place = settings.isContained ? home.target : host.namedDirectory ?? home.target
            request.program.workingDirectory = "/"
        }
    }

    private init(_ settings: ApptainerSettings, _ image: ApptainerImage, _ host: ApptainerHost) {
        (self.settings, self.image, self.host) = (settings, image, host)
        home = ApptainerBind(source: host.home, target: settings.isRoot ? "/root" : host.home)
        if let given = settings.home {
            home = ApptainerBind(source: host.absolute(given.source), target: given.target)
            if given.source == given.target { home.target = home.source }
        }
    }

    private mutating func build(_ notes: inout ApptainerNotes) throws(ApptainerError) {
        guard home.target.isAbsolute else {
            throw ApptainerError(
                "cannot bind the home directory to \(home.target.text): not an absolute path",
                remedy: "--home SRC:DEST, with a DEST that begins with /")
        }
        request.root.view = .rootfs(image.path)
        request.root.layer = settings.layer
        if settings.layer == .writable, !image.isDirectory {
            throw ApptainerError(
                "no SIF writable overlay partition found in \(image.path.text)",
                remedy: "--writable-tmpfs, --overlay DIR, or apptainer build --sandbox DIR FILE")
        }
        request.namespaces.new = settings.namespaces
        request.namespaces.hostname = settings.hostname
        if settings.hasNetwork { request.network = .none }
        request.lifecycle.keyring = .callers
        request.lifecycle.commandIsPidOne = !settings.hasInit && settings.namespaces.contains(.pid)
        request.files.keepsRootPlaces = true
        request.files.homePath = home.target
        request.files.hostParts = [.timeZone, .groups]
        if !settings.isContained {
            request.files.hostParts.insert(.devices)
            if settings.hasTemporary { request.files.hostParts.insert(.temporary) }
        }
        addIdentity()
        try addPlaces(&notes)
        addDevices(&notes)
        request.program.environment.start = .empty
    }

    private mutating func addIdentity() {
        if settings.isRoot {
            request.identity.user = 0
            request.identity.group = 0
            if host.hasSubordinateIDs {
                request.identity.mapsSubordinates = true
            } else {
                request.identity.fakesRoot = true
            }
        }
        request.identity.capabilities = settings.capabilities
    }

    private mutating func addDevices(_ notes: inout ApptainerNotes) {
        request.devices.names = settings.devices
        guard settings.showsNVIDIADriver else { return }
        if host.hasNVIDIADriver {
            request.devices.showsNVIDIADriver = true
        } else {
            notes.info("Could not find any nv files on this host!")
        }
    }

    // MARK: Places

    private mutating func addPlaces(_ notes: inout ApptainerNotes) throws(ApptainerError) {
        addHome()
        try addWorkDirectory()
        var targets: [ByteString] = []
        for bind in settings.binds {
            guard bind.target.isAbsolute else {
                throw ApptainerError(
                    "cannot bind \(bind.source.text) to \(bind.target.text): not an absolute path",
                    remedy: "--bind SRC:DEST, with a DEST that begins with /")
            }
            if targets.contains(bind.target.withoutDots) {
                notes.warn("destination is already in the mount point list: \(bind.target.text)")
                continue
            }
            targets.append(bind.target.withoutDots)
            add(bind, "--bind")
        }
        for directory in settings.scratch { try addScratch(directory) }
        addCurrentDirectory(besides: targets)
        if let directory = settings.directory { request.program.workingDirectory = directory }
    }

    private mutating func add(_ bind: ApptainerBind, _ origin: ByteString) {
        let source = host.absolute(bind.source)
        var options: BindOptions = bind.isReadOnly ? .readOnly : []
        if source == "/dev" || source.hasPrefix("/dev/") { options.insert(.devices) }
        request.files.operations.append(
            FileSystemOperation(
                .bind(source: .path(source), target: bind.target, options: options), origin: origin)
        )
    }

    private mutating func addHome() {
        guard settings.hasHome, home.source != "/", home.target != "/" else { return }
        if settings.isContained, settings.home == nil {
            if settings.workDirectory == nil {
                request.files.operations.append(
                    FileSystemOperation(.tmpfs(target: home.target, mode: 0o700, size: nil)))
            }
        } else {
            request.files.operations.append(
                FileSystemOperation(
                    .bind(
                        source: .path(home.source), target: home.target,
                        options: settings.home == nil ? .optional : []), origin: "--home"))
            showsHome = true
        }
    }

    /// What --contain makes is kept there.
    private mutating func addWorkDirectory() throws(ApptainerError) {
        guard let directory = settings.workDirectory, settings.isContained else { return }
        var places: [(ByteString, ByteString)] = [("tmp", "/tmp"), ("var_tmp", "/var/tmp")]
        if settings.hasHome, settings.home == nil { places.append(("home", home.target)) }
        for (name, target) in places {
            let source = host.absolute(directory).appending(path: name)
            try make(source)
            add(ApptainerBind(source: source, target: target), "--workdir")
        }
    }

    private mutating func addScratch(_ target: ByteString) throws(ApptainerError) {
        guard target.isAbsolute else {
            throw ApptainerError(
                "cannot make \(target.text): not an absolute path", remedy: "--scratch /DIR")
        }
        guard let directory = settings.workDirectory else {
            request.files.operations.append(
                FileSystemOperation(
                    .tmpfs(target: target, mode: 0o755, size: nil), origin: "--scratch"))
            return
        }
        var source = host.absolute(directory).appending(path: "scratch")
        try make(source)
        for part in target.split(on: UInt8(ascii: "/")) where !part.isEmpty {
            if part == "." || part == ".." {
                throw ApptainerError("cannot make \(target.text): it has . or .. in it")
            }
            source = source.appending(path: part)
            try make(source)
        }
        add(ApptainerBind(source: source, target: target), "--scratch")
    }

    private func make(_ directory: ByteString) throws(ApptainerError) {
        if let reason = HostFile.makeDirectory(directory) {
            throw ApptainerError(
                "cannot make the directory \(directory.text): \(reason)",
                remedy: "--workdir DIR, with a DIR that is there and yours")
        }
    }

    /// The command starts where its caller is, as far as that is seen inside.
    private mutating func addCurrentDirectory(besides targets: [ByteString]) {
        if settings.isContained {
            if settings.hasHome { request.program.workingDirectory = home.target }
            return
        }
        guard settings.hasCurrentDirectory, let here = host.namedDirectory, here != "/",
            let place = host.currentDirectory
        else { return }
        if Self.systems.contains(here) { return }
        let kernels: [ByteString] = ["/dev", "/proc", "/sys"]
        if kernels.contains(where: { here.isAtOrBelow($0) }) { return }
        var shown: [ByteString] = []
        if settings.hasTemporary { shown += ["/tmp", "/var/tmp"] }
        if showsHome, home.source == home.target { shown.append(home.target) }
        // A directory that the caller has put there is the one that he means.
        let isCovered = targets.contains { here.isAtOrBelow($0) }
        if !isCovered, !shown.contains(where: { here.isAtOrBelow($0) }) {
            request.files.operations.append(
                FileSystemOperation(.bind(source: .path(place), target: here, options: [])))
        }
        if here != place { request.program.workingDirectory = here }
    }

    private static let systems: [ByteString] = [
        "/etc", "/bin", "/mnt", "/usr", "/var", "/opt", "/sbin", "/lib", "/lib64",
    ]

    // MARK: The command

    /// It starts by way of the root's shell, which reads what the image says.
    func throughShell(
        _ verb: ApptainerVerb, _ words: [ByteString], isQuiet: Bool
    ) -> LaunchRequest {
        var request = request
        request.program.command = ApptainerScript.command(
            verb, words, in: environment, at: place, shell: settings.shell, isQuiet: isQuiet)
        request.program.environment.changes = Self.changes(environment.start)
        return request
    }

    /// It starts without: the root has no shell, or nothing for it to read. Nil where it takes one to know what is meant.
    func directly(_ verb: ApptainerVerb, _ words: [ByteString]) -> LaunchRequest? {
        guard verb == .exec else { return nil }
        var request = request
        request.program.command = words
        request.program.environment.changes = Self.changes(environment.entries)
        return request
    }

    private static func changes(_ entries: [ByteString]) -> [EnvironmentRequest.Change] {
        entries.compactMap { entry in
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0 else { return nil }
            return .set(name: entry.slice(from: 0, to: sign), value: entry.slice(from: sign + 1))
        }
    }
}
