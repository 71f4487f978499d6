// SPDX-License-Identifier: Apache-2.0

/// One step of a plan: about one system call, with everything it needs already resolved.
public struct Step: Sendable, Equatable {
    public var action: Action
    /// The option that asked for it, or nothing where the view did.
    public var origin: ByteString?
    /// The mode of directories that have to be made on the way.
    public var parentMode: UInt32 = 0o755
    /// A file or directory that is bound onto a symlink takes that one's place, and not that of what it leads to: a file
    /// covers it, a directory replaces it in a rootfs.
    public var coversLink = false
    /// It follows from where the caller is, or what his host has at the moment, and not from what he asks for: the
    /// processes of a group need not agree in it.
    public var isIncidental = false

    public enum Action: Sendable, Equatable {
        // Namespaces and identity
        case unshare(NamespaceSet)
        case enterNamespace(descriptor: Int32, NamespaceSet)
        /// Enters the namespaces of a group and goes on behind `share`; where there is no such group, the
        /// steps up to there set it up. They meet in the folder.
        case join(name: ByteString, folder: ByteString, NamespaceSet)
        /// Lets others of the group enter; `root` is what they are told of it if they ask for another.
        case share(NamespaceSet, root: ByteString)
        case write(text: ByteString, file: ByteString)
        case await(descriptor: Int32)
        /// The launcher has newuidmap(1) and newgidmap(1) write the maps.
        case requestIDMaps(users: [IDRange], groups: [IDRange])
        /// Fails where the command could make a user namespace.
        case assertNoUserNamespaces
        /// Nothing outside of the run is reached by its abstract sockets and by signals, nor, with `paths`, by sockets
        /// that have a path; by Landlock, where the kernel has it. With `paths` nothing can be mounted any more.
        case scope(paths: Bool)
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
        case connectNetwork(Pasta)
        case setIDs(user: UInt32, group: UInt32)

        // The root
        case hostRoot
        case emptyRoot
        case hostDirectory(ByteString)
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

    /// A file system that the kernel makes up.
    public enum KernelFileSystem: Sendable, Equatable {
        case proc, devpts, mqueue

        var name: String {
            switch self {
            case .proc: "proc"
            case .devpts: "devpts"
            case .mqueue: "mqueue"
            }
        }
    }

    public struct Bind: Sendable, Equatable {
        public var source: FileSystemOperation.Source
        public var target: ByteString
        public var options: BindOptions
        /// The source must be a directory.
        public var directoryOnly = false
    }

    public struct Image: Sendable, Equatable {
        public var path: ByteString
        public var mounting: RootImage.Mounting
        /// What the launcher prepares: the mount, or a socket to the server.
        var descriptor: Int32 = -1

        init(_ image: RootImage) { (path, mounting) = (image.path, image.mounting) }
    }

    public struct System: Sendable, Equatable {
        public var files: SystemFiles
        /// What is mounted on it is.
        public var isReadOnly = true
        /// Of the root that has been entered, in namespaces below those that put it together.
        public var isBelow = false
    }

    public struct Overlay: Sendable, Equatable {
        public var target: ByteString
        /// Uppermost first.
        public var lower: [ByteString]
        public var upper: FileSystemOperation.OverlayUpper
        /// The lower layer, whatever it is called, is the root as it stands.
        public var liesOverRoot = false
        /// Of the caller's for the kernel, `name=value` or `name`.
        public var options: [ByteString] = []
    }

    /// What the final drop leaves: a bit for each capability.
    public struct CapabilitySets: Sendable, Equatable {
        public var held: UInt64
        public var ambient: UInt64
        public var bounding: UInt64
    }
}
