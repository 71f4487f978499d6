// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What a step does, and what is to be known of it: a new one has its case here, its lowering in CPlan.swift, its operation
/// in CNamespace's operations.h, and is planned somewhere.
extension Step {
    public enum Action: Sendable, Equatable {
        // Namespaces and identity
        case unshare(NamespaceSet)
        case enterNamespace(descriptor: Int32, NamespaceSet)
        /// Enters the namespaces of a group and goes on behind `share`; where there is no such group, the
        /// steps up to there set it up. They meet in the folder.
        case join(
            name: ByteString, folder: ByteString, NamespaceSet, as: JoinManner = .either)
        /// Lets others of the group enter; `root` is what they are told of it if they ask for another.
        case share(NamespaceSet, root: ByteString)
        case write(text: ByteString, file: ByteString)
        case await(descriptor: Int32)
        /// The launcher has newuidmap(1) and newgidmap(1) write the maps.
        case requestIDMaps(users: [IDRange], groups: [IDRange])
        /// Fails where the command could make a user namespace.
        case assertNoUserNamespaces
        /// Nothing outside of the run is reached by its abstract sockets and by signals, nor, with `paths`, by sockets
        /// that have a path, but for those allowed; by Landlock, where the kernel has it. With `paths` nothing can be
        /// mounted any more.
        case scope(paths: Bool, allowed: [ByteString] = [])
        /// Keeps the command from the abstract sockets of others by Landlock; where the kernel cannot, the launch fails or
        /// goes on without.
        case scopeAbstract(isRequired: Bool)
        /// At most so many namespaces of each kind can be made below the user namespace that this is done in.
        case limitNamespaces(UInt32)
        /// New namespaces below, of another user namespace with the same ids in it as in the one around.
        case nest(NamespaceSet, users: [IDRange], groups: [IDRange])
        /// The launcher tells of the namespaces, which now stand.
        case tellNamespaces
        case dieWithParent
        case isolateMounts
        case hostname(ByteString)
        case raiseLoopback
        /// These addresses are unreachable in the run's network (rtnetlink(7)).
        case forbidAddresses([ByteString])
        /// The launcher has pasta(1) connect the network to the host's.
        case connectNetwork(Pasta, ports: [PassedPort])
        /// The loopback interface has the addresses of servers, and what connects there the relay takes.
        case relay(Relay)
        case setIDs(user: UInt32, group: UInt32)

        // The root
        case hostRoot
        /// The root of the world that this run is a copy of. What is mounted on these places is taken hold of.
        case preparedRoot(carried: [ByteString])
        /// What was taken hold of is mounted there again.
        case putBack(target: ByteString, number: Int)
        /// The world stands: nobody writes to `sealed` any more, where each run has its own, and `checked` must not lie
        /// there; and it is handed over, by the descriptor, to who keeps it.
        case keep(sealed: [ByteString], checked: [ByteString], to: Int32)
        case emptyRoot
        case hostDirectory(ByteString)
        /// A file or directory of the host's is made where nothing is, as open as the caller's umask lets it be.
        case hostPlace(ByteString, AllowedPaths.Lack)
        /// The root is a squashfs, read-only.
        case image(Image)
        case bind(Bind)
        case tmpfs(target: ByteString, mode: UInt32, size: UInt64?, replacesLink: Bool)
        case fileSystem(KernelFileSystem, target: ByteString)
        /// The caller's control groups are taken hold of, before the root is made of mounts that show more: of two on one
        /// place some programs heed the older one.
        case holdGroups([ControlGroups.Group])
        /// They stand in place of the hierarchies.
        case showGroups([ControlGroups.Group], readOnly: Bool)
        /// A sysfs that shows the devices of the run's own network, over the one that is there.
        case system(System)
        /// A binfmt_misc of this run's user namespace, with these records.
        case binfmt([BinfmtRecord], target: ByteString)
        case overlay(Overlay)
        case file(FileSystemOperation.Content, target: ByteString, mode: UInt32)
        case bindData(FileSystemOperation.Content, target: ByteString, mode: UInt32, readOnly: Bool)
        /// A file that is there, as the caller's own: by a copy in memory.
        case ownCopy(content: [UInt8], target: ByteString, mode: UInt32)
        /// Files of a layered root whose group is none of the run's: made again in the layer.
        case adopt([ByteString])
        /// Files and directories are covered by empty ones that nobody may open.
        case hide(Hidden)
        /// Files that a directory of the rootfs shall have, made in a layer in memory.
        case complete(directory: ByteString, files: [ByteString])
        /// The file of the root with a text before its own, bound read-only.
        case prepend(text: ByteString, target: ByteString)
        /// The root's linker cache with these libraries in it, in the cache's own order, bound read-only.
        case linkerCache([HostDevices.Library], target: ByteString)
        /// Fails where the root's C library, one of these files, is older.
        case needGlibc(HostDevices.Need, candidates: [ByteString])
        case symlink(text: ByteString, target: ByteString)
        /// A symlink in memory, bound over a file or a symlink, which itself stays as it is.
        case bindLink(text: ByteString, target: ByteString)
        case directory(target: ByteString, mode: UInt32)
        case changeMode(target: ByteString, mode: UInt32)
        case remountReadOnly(target: ByteString)
        case lockFile(target: ByteString)
        /// Files of the root are read before they are asked for: the first that is there, and the one that
        /// belongs to it.
        case readAhead([ByteString], with: [ByteString])
        case enterRoot

        // The command
        case redirect(descriptor: Int32, to: Int32)
        case newSession
        /// A process group of its own (setpgid(2)).
        case processGroup
        /// An empty session keyring (session-keyring(7)) in place of the caller's.
        case newKeyring
        case changeDirectory([ByteString])
        case limit(ResourceLimit)
        /// uname(2) names the 32-bit architecture (personality(2), `PER_LINUX32`).
        case personality32
        case noNewPrivileges
        case capabilities(CapabilitySets)
        case filter([UInt8])
        /// The channel to the launcher becomes this descriptor, and stays open when the program starts.
        case shareChannel(as: Int32)
        /// Memory for the program that starts the command: what the kernel resolves then, it resolves in a process that
        /// is nothing of the host's and has nothing of it open.
        case stub
        case execute([ByteString])
    }

    /// `names` are the words of whoever is given remedies.
    func traits(in names: OptionNames = .current) -> StepTraits {
        var traits: StepTraits
        switch action {
        // Namespaces and identity
        case .unshare(let set):
            traits = StepTraits("enter new \(set.list) namespaces")
            traits.failure = .namespaces(set)
        case .enterNamespace(let descriptor, let set):
            traits = StepTraits("enter the \(set.list) namespace of descriptor \(descriptor)")
            traits.elsewhere = .refused
            traits.failure = .entering(descriptor, set)
        case .join(let name, let folder, _, let manner):
            let what =
                switch manner {
                case .either:
                    "join the group \(name.text): enter its namespaces and leave out what makes them; "
                        + "or else, as its first process:"
                case .existing:
                    "join the group \(name.text) as it stands: enter its namespaces; its first process has done:"
                case .new: "be the first process of the group \(name.text):"
                }
            traits = StepTraits(what, plain: "join the group \(name.text)")
            traits.failure = .group(name, folder: folder)
        case .share:
            traits = StepTraits("let others join the group")
            traits.failure = .sharing
        case .write(let text, let file):
            traits = StepTraits("write \"\(text.trimmed)\" to \(file.text)")
            traits.failure = .idMap(file)
        case .await(let descriptor):
            traits = StepTraits("wait for descriptor \(descriptor)")
            traits.elsewhere = .same
        case .requestIDMaps(let users, let groups):
            traits = StepTraits(
                "have newuidmap map users \(maps(users)) and newgidmap groups \(maps(groups))")
        case .assertNoUserNamespaces:
            traits = StepTraits("see that no further user namespace can be made")
            traits.elsewhere = .refused
            traits.failure = .nestedAllowed
        case .scope(let paths, let allowed):
            let others = allowed.isEmpty ? "" : " but \(list(allowed, separator: ", "))"
            traits = StepTraits(
                "reach no \(paths ? "" : "abstract ")sockets of others\(others) and signal no "
                    + "processes of theirs (Landlock)")
        case .scopeAbstract:
            traits = StepTraits("reach no abstract sockets of others (Landlock)")
            traits.remedies = [
                (
                    [ENOSYS, EOPNOTSUPP, E2BIG],
                    "the kernel must have Landlock as Linux 6.12 does, and not 16 layers of it"
                )
            ]
        case .limitNamespaces(let most):
            traits = StepTraits("allow \(most) namespaces of each kind below")
        case .nest(let set, let users, let groups):
            traits = StepTraits(
                "enter new \(set.list) namespaces below, with users \(maps(users)) and groups "
                    + maps(groups))
        case .tellNamespaces:
            traits = StepTraits("wait until the launcher has told of the namespaces")
        case .dieWithParent: traits = StepTraits("die with the parent")
        case .isolateMounts: traits = StepTraits("keep mounts from reaching the host")
        case .hostname(let name):
            traits = StepTraits("set the host name to \(name.text)")
            traits.remedies = [([EPERM], "a uts namespace is needed: \(names.unshare)uts")]
        case .raiseLoopback: traits = StepTraits("bring the loopback interface up")
        case .forbidAddresses(let addresses):
            traits = StepTraits(
                "make the host's own addresses unreachable: \(list(addresses, separator: ", "))")
        case .connectNetwork(let pasta, let ports):
            let passed =
                ports.isEmpty
                ? "" : ", and pass on \(list(ports.map { $0.text }, separator: ", "))"
            traits = StepTraits(
                "have \(pasta.program.text) connect the network to the host's\(passed)",
                plain: "connect the network")
        case .relay(let relay):
            traits = StepTraits(
                "let \(relay.list) be reached through a relay", plain: "relay connections")
            traits.remedies = [
                ([EPIPE, EMFILE], "memory or open files may be short: start it once more"),
                ([ENOSYS], "the kernel must have pidfd_open(2), as Linux 5.3 does"),
                (
                    [EAFNOSUPPORT, EOPNOTSUPP, EACCES, EADDRNOTAVAIL],
                    "a run has no IPv6 here: name servers that have an IPv4 address"
                ),
            ]
        case .setIDs(let user, let group):
            traits = StepTraits("become user \(user), group \(group)")
            traits.remedies = [([EINVAL], "this id is not mapped in the run's user namespace")]

        // The root
        case .hostRoot:
            traits = StepTraits("start from the host's root")
            traits.mounts = true
            traits.shows = [.mount("/", "the host's root", .writable)]
        case .preparedRoot(let carried):
            let held = carried.isEmpty ? "" : ", taking hold of \(list(carried, separator: ", "))"
            traits = StepTraits("start from the prepared root" + held)
            traits.mounts = true
        case .putBack(let target, _):
            traits = StepTraits("put back what is mounted on \(target.text)")
            traits.target = target
            traits.mounts = true
        case .keep(let sealed, _, _):
            traits = StepTraits(
                "make \(list(sealed, separator: ", ")) read-only, and leave the world to who keeps it"
            )
            traits.readsRoot = true
        case .emptyRoot:
            traits = StepTraits("start from an empty root")
            traits.mounts = true
            traits.shows = [.mount("/", "tmpfs", .isPrivate)]
        case .hostDirectory(let path):
            traits = StepTraits("make the directory \(path.text) on the host")
            traits.hostObject = path
            traits.remedies = [
                (Diagnosis.wantOfRights, "give a directory in which you may write")
            ]
        case .hostPlace(let path, let lack):
            traits = StepTraits(
                "make the empty \(lack == .file ? "file" : "directory") \(path.text) on the host")
            traits.hostObject = path
            traits.elsewhere = .refused
            traits.remedies = [
                (Diagnosis.wantOfRights, "name a path in a directory in which you may write")
            ]
        case .image(let image):
            traits = StepTraits(image.description)
            traits.mounts = true
            traits.shows = [.mount("/", image.path.text, .readOnly)]
            traits.failure = .image(image)
        case .bind(let bind):
            traits = StepTraits(
                bind.description, plain: "bind-mount \(bind.sourceText) onto \(bind.target.text)")
            traits.target = bind.target
            traits.mounts = true
            traits.shows = [
                .mount(
                    bind.target, bind.sourceText,
                    bind.options.contains(.readOnly) ? .readOnly : .writable)
            ]
            traits.elsewhere = .view(EngineView.parts(bind))
            if bind.target == "/", bind.directoryOnly { traits.failure = .rootfs(bind.sourceText) }
            if case .path(let path) = bind.source { traits.hostObject = path }
        case .tmpfs(let target, let mode, let size, _):
            let words = "mount a tmpfs on \(target.text)"
            traits = StepTraits(
                words + " (\(octal(mode))\(size.map { ", \($0) bytes" } ?? ""))", plain: words)
            traits.target = target
            traits.mounts = true
            traits.shows = [.mount(target, "tmpfs", .isPrivate)]
            traits.elsewhere = .view([.place(target, .directory(mode: mode))])
        case .fileSystem(let kind, let target):
            traits = StepTraits("mount a fresh \(kind.name) on \(target.text)")
            traits.target = target
            traits.mounts = true
            traits.shows = [.mount(target, kind.name, .isPrivate)]
            switch kind {
            case .proc:
                traits.elsewhere = .view([.place(target, .host("/proc"))])
                traits.failure = .proc(target)
            case .devpts:
                traits.elsewhere = .view([.place(target, .host("/dev/pts"), isOptional: true)])
            case .mqueue:
                traits.elsewhere = .refused
                traits.remedies = [
                    ([EPERM], "an ipc namespace of its own is needed: \(names.unshare)ipc")
                ]
            }
        case .holdGroups: traits = StepTraits("take hold of the caller's own control groups")
        case .showGroups(let groups, let readOnly):
            traits = StepTraits(
                "show the caller's own control groups on "
                    + list(groups.map { $0.mount }, separator: ", "))
            traits.shows = groups.map {
                .mount($0.mount, $0.directory.text, readOnly ? .readOnly : .writable)
            }
        case .system(let system):
            traits = StepTraits("mount a sysfs of its own network on \(SystemFiles.place.text)")
            traits.target = SystemFiles.place
            traits.mounts = true
            traits.shows =
                [.mount(SystemFiles.place, "sysfs", .readOnly)]
                + system.files.mounts.map {
                    .mount($0, $0.text, system.isReadOnly ? .readOnly : .writable)
                }
        case .binfmt(let records, let target):
            traits = StepTraits(
                "mount a binfmt_misc of its own on \(target.text) and register \(list(records))",
                plain: "register the emulator \(list(records))")
            traits.target = target
            traits.shows = [.mount(target, "binfmt_misc", .isPrivate)]
            traits.failure = .emulator
        case .overlay(let overlay):
            traits = StepTraits(overlay.description)
            traits.target = overlay.target
            traits.mounts = true
            traits.shows = [.mount(overlay.target, overlay.sourceText, overlay.access)]
            traits.failure = .overlay(overlay)
            traits.readsRoot = true
            if case .directories(let upper, _) = overlay.upper { traits.hostObject = upper }
        case .file(let content, let target, let mode):
            traits = StepTraits(
                "make the file \(target.text) from \(content.description) (\(octal(mode)))",
                plain: "make the file \(target.text)")
            traits.target = target
            traits.elsewhere = .view([.place(target, .file(content, mode: mode))])
        case .bindData(let content, let target, let mode, let readOnly):
            traits = StepTraits(
                "bind \(content.description) onto \(target.text) "
                    + "(\(octal(mode))\(readOnly ? ", read-only" : ""))",
                plain: "bind a file in memory onto \(target.text)")
            traits.target = target
            traits.shows = [
                .mount(target, content.description, readOnly ? .readOnly : .isPrivate)
            ]
            traits.elsewhere = .view([.place(target, .file(content, mode: mode))])
        case .ownCopy(_, let target, _):
            traits = StepTraits("show \(target.text) as a file of yours")
            traits.target = target
            traits.shows = [.mount(target, "a copy that is yours", .readOnly)]
        case .adopt(let files):
            traits = StepTraits(
                "make again what is of a group that is not mapped: \(list(files, separator: ", "))")
        case .hide(let hidden):
            traits = StepTraits(
                hidden.description, plain: "hide what is below \(hidden.place.text)")
            if hidden.patterns.isEmpty { traits.plainWords = traits.words }
            traits.readsRoot = true
            traits.elsewhere = .refused
            traits.failure = .hidden(hidden.place)
            traits.remedies = [
                ([EBUSY], "the root itself cannot be covered: hide what lies in it")
            ]
        case .complete(let directory, let files):
            traits = StepTraits(
                "see that \(directory.text) has \(list(files, separator: ", "))")
        case .prepend(let text, let target):
            traits = StepTraits(
                "show \(target.text) with the line \"\(text.trimmed)\" before its own",
                plain: "show your entry in \(target.text)")
            traits.target = target
            traits.shows = [.mount(target, "the rootfs's, with your entry", .readOnly)]
            traits.elsewhere = .view([.place(target, .prepended(text))])
            traits.readsRoot = true
        case .linkerCache(let libraries, let target):
            traits = StepTraits(
                "show \(target.text) with \(libraries.count) "
                    + (libraries.count == 1 ? "library more" : "libraries more"),
                plain: "show the host's libraries in \(target.text)")
            traits.target = target
            traits.shows = [.mount(target, "the rootfs's, with the devices' libraries", .readOnly)]
            traits.readsRoot = true
        case .needGlibc(let need, _):
            traits = StepTraits(
                "see that the C library is glibc \(need.version.text) or newer, for "
                    + need.library.text)
            traits.failure = .glibc(need)
            traits.readsRoot = true
        case .symlink(let text, let target):
            traits = StepTraits("make the symlink \(target.text) -> \(text.text)")
            traits.target = target
            traits.elsewhere = .view([.place(target, .link(text))])
        case .bindLink(let text, let target):
            traits = StepTraits("show \(target.text) as a symlink to \(text.text)")
            traits.target = target
            traits.shows = [.mount(target, "link to \(text.text)", .readOnly)]
            traits.elsewhere = .view([.place(target, .link(text))])
        case .directory(let target, let mode):
            let words = "make the directory \(target.text)"
            traits = StepTraits(words + " (\(octal(mode)))", plain: words)
            traits.target = target
            traits.elsewhere = .view([.place(target, .directory(mode: mode), isOptional: true)])
        case .changeMode(let target, let mode):
            traits = StepTraits("change the mode of \(target.text) to \(octal(mode))")
            traits.elsewhere = .refused
            traits.target = target
            traits.remedies = [
                (
                    [EROFS, EPERM],
                    "only what is yours and writable can be changed: \(names.memoryLayer)"
                )
            ]
        case .remountReadOnly(let target):
            traits = StepTraits("make the mount \(target.text) read-only")
            traits.target = target
            traits.shows = [.readOnly(target)]
            traits.remedies = [([EINVAL], "\(target.text) is not a mount point")]
        case .lockFile(let target):
            traits = StepTraits("lock the file \(target.text)")
            traits.elsewhere = .refused
            traits.target = target
        case .readAhead(let files, _):
            traits = StepTraits("read ahead \(list(files))")
            traits.readsRoot = true
        case .enterRoot:
            traits = StepTraits("enter the new root")
            traits.remedies = [
                (
                    [EPERM, ENOSYS],
                    "what confines nsrun must allow pivot_root(2) and umount2(2)"
                )
            ]

        // The command
        case .redirect(let descriptor, let target):
            traits = StepTraits("make descriptor \(descriptor) descriptor \(target)")
            traits.elsewhere = .same
        case .newSession:
            traits = StepTraits("start a new session")
            traits.elsewhere = .same
        case .processGroup: traits = StepTraits("start a new process group")
        case .newKeyring:
            traits = StepTraits("join a new session keyring")
            traits.elsewhere = .same
            traits.remedies = [
                (
                    [EDQUOT],
                    "keys of yours take up all that is allowed: sysctl kernel.keys.maxkeys"
                )
            ]
        case .changeDirectory(let candidates):
            traits = StepTraits("change directory to \(list(candidates))")
            traits.failure = .directory(candidates)
            traits.readsRoot = true
        case .limit(let limit):
            traits = StepTraits(limit.description, plain: "set the limit \(limit.name)")
            traits.elsewhere = .same
            traits.remedies = [
                ([EPERM], "a hard limit can be lowered, but raised only by root")
            ]
        case .personality32:
            traits = StepTraits("let uname(2) name the 32-bit architecture")
            traits.elsewhere = .same
        case .noNewPrivileges:
            traits = StepTraits("allow no new privileges")
            traits.elsewhere = .same
        case .capabilities(let sets):
            traits = StepTraits(sets.description)
            traits.remedies = [
                (
                    [EPERM],
                    "what confines nsrun must leave it CAP_SETPCAP, by which the command is denied "
                        + "capabilities"
                )
            ]
        case .filter: traits = StepTraits("install a seccomp filter")
        case .shareChannel(let number):
            traits = StepTraits("make the channel to nsrun descriptor \(number)")
        case .stub:
            traits = StepTraits("make the program in memory that starts the command")
            traits.remedies = [
                (
                    [EACCES, EPERM],
                    "a file in memory must be executable here: sysctl vm.memfd_noexec=0"
                )
            ]
        case .execute(let candidates):
            traits = StepTraits("run \(list(candidates))")
            traits.failure = .program(candidates)
            traits.readsRoot = true
        }
        return traits
    }
}

// MARK: Prepared worlds

extension Step {
    /// What becomes of a step where a run starts from a world that is kept, see ``WorldParts``.
    enum Prepared {
        /// There is no such world for a run with this step: it is launched without.
        case not(String)
        /// Each run's, before there is a root.
        case first
        case ahead
        /// Ahead: a mount of what is not the run's own.
        case mounted(ByteString)
        /// Something that is no mount: with the place that it is in.
        case made(ByteString)
        /// It depends on more than the step.
        case special
    }

    /// Apart from the traits, whose words a launch does not need.
    var prepared: Prepared {
        switch action {
        case .dieWithParent, .hostname, .raiseLoopback, .forbidAddresses, .limitNamespaces,
            .newSession, .processGroup:
            .first
        case .write(_, let file):
            Step.idMaps.contains(file) ? .first : .not("what it makes has a label")
        case .holdGroups, .showGroups, .complete, .needGlibc, .readAhead: .ahead
        case .prepend(_, let target), .linkerCache(_, let target), .ownCopy(_, let target, _),
            .bindLink(_, let target):
            .mounted(target)
        case .overlay(let overlay):
            overlay.upper == .none
                ? .mounted(overlay.target) : .not("an overlay of its own is written to")
        case .symlink(_, let target), .changeMode(let target, _): .made(target)
        case .file(let content, let target, _):
            content.isReadOnce ? Step.readOnce : .made(target)
        case .bindData(let content, _, _, _): content.isReadOnce ? Step.readOnce : .special
        case .system, .bind, .tmpfs, .fileSystem, .directory, .remountReadOnly: .special
        case .binfmt: .not("it registers an emulator")
        case .hide: .not("it hides files that may be others by the next run")
        case .hostPlace: .not("it makes a file of the host's")
        case .hostDirectory, .adopt: .not("its root has a writable layer of its own")
        case .image: .not("its root is a squashfs")
        case .hostRoot, .emptyRoot: .not("without a rootfs there is nothing to prepare")
        case .unshare, .enterNamespace, .setIDs, .nest, .join, .share, .await, .requestIDMaps,
            .tellNamespaces, .isolateMounts, .connectNetwork, .relay, .assertNoUserNamespaces,
            .scope,
            .scopeAbstract, .lockFile, .enterRoot, .redirect, .newKeyring, .changeDirectory,
            .limit, .personality32, .noNewPrivileges, .capabilities, .filter, .shareChannel,
            .stub, .execute, .preparedRoot, .putBack, .keep:
            .not("its namespaces are made in another way")
        }
    }

    /// The files of proc(5) by which a user namespace gets its ids.
    private static let idMaps: [ByteString] = [
        "/proc/self/setgroups", "/proc/self/gid_map", "/proc/self/uid_map",
    ]
    /// What can be read only once is the first run's alone.
    private static let readOnce = Prepared.not("a file's content comes from a descriptor")
}

extension FileSystemOperation.Content {
    fileprivate var isReadOnce: Bool { if case .descriptor = self { true } else { false } }
}
