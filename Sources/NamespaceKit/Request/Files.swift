// SPDX-License-Identifier: Apache-2.0

extension LaunchRequest {
    /// The caller's home directory.
    public enum Home: Sendable, Equatable {
        /// The host's in the host view, private and empty in a rootfs.
        case standard
        /// The caller's own, at its own path.
        case bound
        /// Private and empty in either view.
        case empty
    }

    public struct Files: Sendable, Equatable {
        public var operations: [FileSystemOperation] = []
        /// What `$HOME` leads to.
        public var home: Home = .standard
        /// Binds the current directory at its own path and starts there.
        public var bindsCurrentDirectory = false
        /// Binds the source tree that the current directory belongs to at its own path and starts there; as an overlay in
        /// memory where changes go to memory.
        public var bindsSourceTree = false
        /// The home and the current directory, where asked for, are left out where they cannot be bound.
        public var leavesOutMissing = false
        /// Shows the host's root, read-only, at `/run/host`.
        public var showsHostRoot = false
        /// Where the caller's home is, in place of what `$HOME` or else the user database says: the user's entry inside
        /// names it.
        public var homePath: ByteString?
        /// A rootfs has no empty `/run` and no empty home put over its own.
        public var keepsRootPlaces = false
        /// Where the rootfs is the host's own root: of what lies in that, only directories of programs and settings are
        /// shown. The current directory must then be none that holds more than one's work.
        public var showsProgramsAlone = false
        /// What else of the host is within reach in a rootfs.
        public var hostParts: HostParts = []
        /// In the host view the sockets of the caller's session and of the host's servers are out of reach.
        public var hidesSockets = false
        /// Sockets of the host's that are reached, by their paths, or directories of them; in the host view
        /// ``hidesSockets`` is then so.
        public var allowedSockets: [ByteString] = []
        /// Paths of the host's, or patterns of them as in ``hidden``, that are shown at their own places and can be read, or
        /// also written, whatever lies there otherwise. What is named and is not there is made where it may be written: a
        /// file, or a directory where the path ends with a slash.
        public var readable: [ByteString] = []
        public var writable: [ByteString] = []
        /// Files and directories that are covered where they are there: paths of the host's, or patterns with `*`, `?`,
        /// `[...]` and `**`, below a directory or else below all that is bound. `~/` is the caller's home.
        public var hidden: [ByteString] = []
        /// A mount below a bound directory that cannot be made read-only is passed over.
        public var toleratesSubmounts = false
        /// A directory or file that has to be made in the root as a mount point is open to as many as the umask lets it be,
        /// and not to its owner alone: for a root that somebody else will remove.
        public var makesPlacesByUmask = false
        /// The SELinux label of the files that the launch makes.
        public var label: ByteString?

        public init() {}
    }
}

/// Parts of the host that a rootfs shows in place of the run's own or of its own. What the host lacks is
/// left out, see ``LaunchPlan/omissions``.
public struct HostParts: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `/dev` with all its devices.
    public static let devices = HostParts(rawValue: 1 << 0)
    /// `/tmp` and `/var/tmp`.
    public static let temporary = HostParts(rawValue: 1 << 1)
    /// Where removable media are mounted: `/media`, `/mnt`, `/run/media`.
    public static let media = HostParts(rawValue: 1 << 2)
    /// hosts, host.conf, localtime, resolv.conf, machine-id and timezone of `/etc`: symbolic links below
    /// `/run/host`, so that they follow the host's. Needs `showsHostRoot`.
    public static let settings = HostParts(rawValue: 1 << 3)
    /// `$XDG_RUNTIME_DIR` and the sockets of the desktop session and of system services.
    public static let desktop = HostParts(rawValue: 1 << 4)
    /// The names of the caller's supplementary groups.
    public static let groups = HostParts(rawValue: 1 << 5)
    /// The directories and files that a resource manager names in the environment, as in `SLURM_*`, `PBS_*`, `SGE_*`,
    /// `LSB_*`, `FLUX_*`, `PMIX_*`, `SCRATCH` and `TMPDIR`, slurmd's spool directory, and the host's time zone.
    public static let job = HostParts(rawValue: 1 << 6)
    /// The host's time zone, without the rest of ``job``.
    public static let timeZone = HostParts(rawValue: 1 << 7)
}
