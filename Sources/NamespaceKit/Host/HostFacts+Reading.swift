// SPDX-License-Identifier: Apache-2.0

import CHost

extension HostFacts {
    /// Asks the host what a launch of this request needs to know, and no more. Who launches one request after the
    /// other gives the facts of an earlier one: ids, account, environment and kernel are taken to be as they were.
    public static func read(
        for request: LaunchRequest, after earlier: HostFacts? = nil
    ) -> HostFacts {
        var facts = HostFacts()
        if let earlier { facts.copyLasting(from: earlier) } else { facts.readLasting() }
        facts.homePath = request.files.homePath
        // Before anything else looks there, and waits without an end.
        facts.silentAutomount = Automounts.call(for: request, in: facts)
        facts.readCurrentDirectory()
        if request.identity.mapsSubordinates {
            let account = readAccount(user: facts.userID, group: facts.groupID)
            facts.subordinateName = account?.name
            func ranges(_ text: [UInt8]) -> [IDRange] {
                SubordinateIDs.parse(text, user: facts.userID, name: account?.name)
            }
            facts.subordinateUsers = ranges(facts.require("/etc/subuid", limit: 1 << 22))
            facts.subordinateGroups = ranges(facts.require("/etc/subgid", limit: 1 << 22))
        }
        if facts.userID == 0 { facts.capabilities = nsrun_capabilities_held() }
        if request.wantsAllIDs, facts.capabilities & IDRange.mapping == IDRange.mapping {
            facts.ownUsers = IDRange.own("uid_map")
            facts.ownGroups = IDRange.own("gid_map")
        }
        if facts.isMachinesRoot || !request.identity.users.isEmpty {
            facts.kernelControls = readKernelControls()
        }
        if request.program.label != nil || request.files.label != nil {
            facts.hasSELinux = readFile("/sys/fs/selinux/enforce", limit: 8) != nil
        }
        let leavesGroup =
            request.namespaces.new.contains(.pid) && !request.lifecycle.sharesProcessGroup
        if leavesGroup || request.isToSpareTerminal {
            facts.hasTerminal = nsrun_has_terminal()
            facts.hasOpenTerminal =
                facts.hasTerminal && request.isToSpareTerminal && !facts.kernelSparesTerminals
        }
        if request.root.view == .empty { facts.terminal = readTerminal() }
        var isRootfs = false
        if case .rootfs = request.root.view { isRootfs = true }
        if facts.account == nil, isRootfs || request.files.home != .standard {
            facts.account =
                readAccount(user: facts.userID, group: facts.groupID)
                ?? facts.inventAccount()
        }
        if request.confinesToPrograms { facts.otherDirectories = Confinement.otherDirectories() }
        if case .rootfs(let path) = request.root.view {
            if request.root.descriptor == nil {
                let finder = RootImageFinder(path: path, request: request, facts: facts)
                facts.rootImage = finder.find()
                if facts.rootImage == .none { facts.readForeignPrograms(below: path) }
            }
            facts.terminal = readTerminal()
            if facts.terminal != nil {
                let isDirectory = request.root.descriptor == nil && facts.rootImage == .none
                facts.terminalEntry = TerminalEntry.find(
                    lackingIn: isDirectory ? path : nil, for: facts)
            }
        }
        if request.network.isPasta { facts.pasta = Pasta.find(in: facts) }
        if case .relay(let hosts) = request.network {
            facts.allowedHosts = ResolvedHost.find(hosts)
        }
        facts.allowedSockets = .find(request.files.allowedSockets, from: facts.currentDirectory)
        // Who joins a group as it stands finds there what was allowed to that.
        if case .existing = request.namespaces.join {
        } else {
            facts.allowedPaths = .find(request.files, in: facts)
        }
        if request.namespaces.join == .jobStep { facts.parent = readParent() }
        facts.layerGroup = layerGroup(of: request)
        if request.namespaces.join != nil || request.reuse != nil || facts.layerGroup != nil {
            facts.groupFolder = GroupFolder.find(in: facts)
        }
        facts.readPlaces(for: request)
        if request.root.view != .empty || !request.program.emulators.isEmpty {
            facts.emulation = EmulationFinder(request: request, facts: facts).find()
        }
        if !request.files.hidden.isEmpty { facts.readCanonicalPaths(for: request) }
        if request.devices.isAsked { facts.devices = DeviceFinder.find(for: request, on: facts) }
        if request.program.runsHostProgram {
            facts.hostProgram = .find(request.program.command.first, in: facts)
        }
        if request.hidesHostsSockets || request.showsHostsSockets {
            facts.sockets = HostSockets.read()
        }
        let cgroup = request.namespaces.new.union(request.namespaces.optional).contains(.cgroup)
        let hasSystem = request.root.view != .empty && request.hasOwnNetwork
        let hasTree = request.root.view == .host && request.root.layer != .readOnly
        let hasGroups = request.root.view != .empty && cgroup
        // One look for all of them.
        let mounts =
            hasSystem || hasTree || hasGroups || !request.limits.isEmpty
            ? facts.require("/proc/self/mountinfo", limit: 1 << 22) : []
        if !request.limits.isEmpty {
            facts.groupMounts = MountPoint.parse(mounts).filter { $0.type == "cgroup2" }.map {
                $0.path
            }
        }
        if hasGroups {
            facts.controlGroups = ControlGroups(
                mounts: mounts, membership: facts.require("/proc/self/cgroup", limit: 1 << 20))
            facts.controlGroups?.add(facts.groupMounts)
        }
        if request.root.view == .host, facts.userID != 0 {
            facts.shellFiles = SecureShell.readIncludedFiles()
        }
        if hasSystem { facts.system = .read(MountPoint.parse(mounts)) }
        if request.network.isPasta { facts.addresses = HostNetwork.addresses() }
        if hasTree { facts.hostTree = HostTree.read(MountPoint.parse(mounts)) }
        return facts
    }

    /// Those of PATH's directories that a root need not have and that this one has not.
    private mutating func readForeignPrograms(below root: ByteString) {
        let usual: [ByteString] = [
            "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
        ]
        foreignPrograms = (variable("PATH") ?? "").split(on: UInt8(ascii: ":")).filter { place in
            place.isAbsolute && !usual.contains(place)
                && HostFile.locate(place, below: root) == nil
        }
    }

    /// All directories of proc but those of processes, and all files that somebody may write to. Links, such as `self`,
    /// lead to processes.
    private static func readKernelControls() -> [ByteString] {
        HostFile.names(in: "/proc").filter { name in
            let isProcess = name.bytes.allSatisfy {
                $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
            }
            let path = ByteString("/proc/").appending(path: name)
            let mode = withCString(path) { nsrun_file_mode($0, false) }
            guard !isProcess, mode >= 0 else { return false }
            let isDirectory = mode & 0o170000 == 0o040000
            return isDirectory || mode & 0o170000 == 0o100000 && mode & 0o222 != 0
        }
    }

    /// What stays as long as this program runs.
    private mutating func readLasting() {
        userID = getuid()
        groupID = getgid()
        // Its settings are the machine's root's, who appears as the overflow id where he is not mapped.
        let owner = nsrun_owner("/proc/sys")
        machinesRoot = owner < 0 ? 0 : UInt32(truncatingIfNeeded: owner)
        let features = nsrun_features()
        hasMountAPI = features & NSRUN_FEATURE_MOUNT_API.rawValue != 0
        hasOpenat2 = features & NSRUN_FEATURE_OPENAT2.rawValue != 0
        readMachine()
        environment = HostFacts.readEnvironment()
    }

    private mutating func readMachine() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 130) { buffer in
            let release = buffer.baseAddress!
            let machine = release + 65
            if nsrun_uname(release, machine) == 0 {
                kernel = HostFacts.readKernel(ByteString(cString: release))
                self.machine = HostFacts.ownMachine ?? ByteString(cString: machine)
            }
        }
    }

    /// What this program was built for, which uname(2) does not tell a caller who is to take the machine for a smaller one
    /// (setarch(8)).
    private static var ownMachine: ByteString? {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            nil
        #endif
    }

    static var machineName: ByteString {
        var facts = HostFacts()
        facts.readMachine()
        return facts.machine
    }

    /// A caller may also be told of a much older kernel (personality(2), `UNAME26`).
    private static func readKernel(_ release: ByteString) -> KernelRelease {
        var kernel = KernelRelease(parsing: release)
        if kernel?.major == 2, let text = readFile("/proc/sys/kernel/osrelease", limit: 256) {
            kernel = KernelRelease(parsing: ByteString(bytes: text)) ?? kernel
        }
        return kernel ?? KernelRelease(major: 0, minor: 0)
    }

    private mutating func copyLasting(from earlier: HostFacts) {
        (userID, groupID, account) = (earlier.userID, earlier.groupID, earlier.account)
        machinesRoot = earlier.machinesRoot
        (hasMountAPI, hasOpenat2) = (earlier.hasMountAPI, earlier.hasOpenat2)
        (kernel, machine) = (earlier.kernel, earlier.machine)
        environment = earlier.environment
    }

    /// AppArmor lets namespaces be made and refuses what is done in them.
    public var mayRefuseLate: Bool { HostRefusal.restrictsByAppArmor }

    /// The caller's environment and nothing else.
    static var environmentOnly: HostFacts {
        var facts = HostFacts()
        facts.environment = readEnvironment()
        return facts
    }

    private mutating func readCurrentDirectory() {
        var path: ByteString = ""
        let error = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            let error = nsrun_current_directory(buffer.baseAddress!, buffer.count)
            if error == 0 { path = ByteString(cString: buffer.baseAddress!) }
            return error
        }
        if HostFacts.passes(-error) { fault = .unreadable("the current directory", -error) }
        isTooDeep = error == -ENAMETOOLONG
        // "(unreachable)..." is outside of our root.
        currentDirectory = error == 0 && path.isAbsolute ? path : nil
    }

    /// A want of descriptors or memory, a signal, or a fault of the disk: it says nothing of what was asked for.
    static func passes(_ code: Int32) -> Bool {
        switch code {
        case EMFILE, ENFILE, ENOMEM, EIO, EINTR, ESTALE: true
        default: false
        }
    }

    /// A file without which the run would be another one: empty where there is none, ``fault`` where it cannot be read.
    private mutating func require(_ path: ByteString, limit: Int) -> [UInt8] {
        var code: Int32 = 0
        let text = HostFacts.readFile(path, limit: limit, &code)
        if HostFacts.passes(code) { fault = .unreadable(path.text, code) }
        return text ?? []
    }

    private static func readEnvironment() -> [ByteString] {
        var entries: [ByteString] = []
        var next = nsrun_environment()!
        while let entry = next.pointee {
            entries.append(ByteString(cString: entry))
            next += 1
        }
        return entries
    }

    /// Since Linux 6.2 it can refuse TIOCSTI by itself, since 6.7 it refuses what TIOCLINUX could do.
    private var kernelSparesTerminals: Bool {
        kernel >= KernelRelease(major: 6, minor: 7)
            && HostFacts.readFile("/proc/sys/dev/tty/legacy_tiocsti", limit: 8)?.first
                == UInt8(ascii: "0")
    }

    private static func readTerminal() -> ByteString? {
        guard nsrun_is_terminal(1) == 1 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            let length = nsrun_terminal_name(1, buffer.baseAddress!, buffer.count)
            return length > 0 ? ByteString(cString: buffer.baseAddress!) : nil
        }
    }

    /// The first bytes of a file, nil where it cannot be read.
    static func readFile(_ path: ByteString, limit: Int) -> [UInt8]? {
        var code: Int32 = 0
        return readFile(path, limit: limit, &code)
    }

    /// The same; `code` becomes the errno of what kept it from being read.
    static func readFile(_ path: ByteString, limit: Int, _ code: inout Int32) -> [UInt8]? {
        withCString(path) { readFile($0, limit: limit, &code) }
    }

    private static func readFile(
        _ path: UnsafePointer<CChar>, limit: Int, _ code: inout Int32
    ) -> [UInt8]? {
        // Most files are small; a larger one is read again with room enough.
        var capacity = 8192
        while true {
            var length = -1
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                length = buffer.withMemoryRebound(to: CChar.self) {
                    nsrun_read_file(path, $0.baseAddress!, capacity)
                }
                count = max(0, length)
            }
            if length < 0 {
                code = Int32(-length)
                return nil
            }
            if length < capacity || capacity >= limit { return bytes }
            capacity *= 8
        }
    }

    /// The caller's account: from the files, else from the name service by way of getent(1), for a
    /// static program has no name service of its own.
    static func readAccount(user: UInt32, group: UInt32) -> Account? {
        var fields = AccountFile(text: readFile("/etc/passwd", limit: 1 << 24) ?? [])
            .fields(number: user)
        if fields == nil { fields = askNameService("passwd", [user]).fields(number: user) }
        guard let fields, fields.count >= 7 else { return nil }
        return Account(
            name: fields[0], home: fields[5], shell: fields[6],
            groupName: readGroups([group]).first?.name ?? fields[0], comment: fields[4])
    }

    private func inventAccount() -> Account {
        let passwd = AccountFile(text: HostFacts.readFile("/etc/passwd", limit: 1 << 24) ?? [])
        var account = Account.invented(for: userID, on: self) { passwd.fields(name: $0) != nil }
        if let group = HostFacts.readGroups([groupID]).first { account.groupName = group.name }
        return account
    }

    /// Those of the groups that have names.
    static func readGroups(_ ids: [UInt32]) -> [HostGroup] {
        let file = AccountFile(text: readFile("/etc/group", limit: 1 << 24) ?? [])
        var names = ids.map { file.fields(number: $0)?.first }
        let unknown = ids.indices.filter { names[$0] == nil }
        if !unknown.isEmpty {
            let answer = askNameService("group", unknown.map { ids[$0] })
            for index in unknown { names[index] = answer.fields(number: ids[index])?.first }
        }
        return zip(ids, names).compactMap { id, name in name.map { HostGroup(name: $0, id: id) } }
    }

    /// The lines of those that it knows.
    private static func askNameService(_ database: ByteString, _ numbers: [UInt32]) -> AccountFile {
        var answer: HostTool.Answer?
        // Some systems have it elsewhere.
        for tool in ["/usr/bin/getent"] + environmentOnly.places(ofTool: "getent")
        where HostFile.isExecutable(tool) {
            let words = [database] + numbers.map { ByteString(String($0)) }
            answer = HostTool.run(tool, words, limit: 1 << 20)
            break
        }
        return AccountFile(text: answer?.output ?? [])
    }
}

/// Calls with the bytes as a C string.
public func withCString<Result>(
    _ text: ByteString, _ body: (UnsafePointer<CChar>) -> Result
) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.count + 1) { buffer in
        for index in 0..<text.count { buffer[index] = CChar(bitPattern: text.bytes[index]) }
        buffer[text.count] = 0
        return body(UnsafePointer(buffer.baseAddress!))
    }
}
