// SPDX-License-Identifier: Apache-2.0

/// How messages name what the user can change, and what asked for a step. The library names its own
/// properties; the command line puts its options here, so that wording stays in one place and
/// spelling in another.
public struct OptionNames: Sendable {
    // In remedies
    public var unshare = "namespaces.new: ."
    public var shareProcesses = "remove .pid from namespaces.new"
    public var outerProc = "set namespaces.proc to .outer"
    public var memoryLayer = "set root.layer to .memory"
    public var workingDirectory = "set program.workingDirectory"
    public var user = "set identity.user"
    public var optionalBind = "BindOptions.optional"
    public var enterRootfs = "a request with root.view = .rootfs"
    public var fakeSingle = "identity.fakesRoot"
    public var architecture = "program.emulators:"
    public var emulator = "program.emulators:"
    public var hostExec = "program.runsHostProgram"
    public var engine = "the engine"
    public var join = "namespaces.join"
    public var reuse = "reuse"
    public var reuseIdle = "reuse.idle"
    public var stop = "KeptWorld.stop()"
    public var list = "KeptWorld.list()"
    public var hostNetwork = "network = .host"
    public var doctor = "Doctor.examine()"
    public var deviceBind = "BindOptions.devices"
    public var deviceDirectory = "devices.directories:"

    /// What asks for each ``EngineFeature``, by its number.
    public var features: [String] = [
        "a network of its own", "namespaces.hostname", "an ipc namespace", "a cgroup namespace",
        "BindOptions.readOnly", "mqueue", "the layer .memory", "the layer .directory", "overlay",
        "identity", "ranges of ids", "identity.fakesRoot", "identity.capabilities",
        "program.filters", "lockFile",
        "heldDescriptors", "infoDescriptor", "entered namespaces", "forbidsNestedUser", "labels",
        "commandIsPidOne", "program.runsHostProgram", "program.emulators", "root.descriptor",
        "the layer .writable",
        "files.showsHostRoot", "changeMode", "the size of a tmpfs",
        "a squashfs as the root", "namespaces.join", "devices", "limits",
    ]

    // What asked for a step; empty where there is no word for it
    public var rootfs = ""
    public var ephemeral = ""
    public var overlayDirectory = ""
    public var home = ""
    public var currentDirectory = ""
    public var hostRoot = ""
    public var hostParts = ""
    public var sourceTree = ""
    public var hostProgram = ""
    public var emulation = ""
    public var device = ""
    public var nvidia = ""
    public var idMaps = ""
    public var network = ""
    public var allowedHost = ""
    public var allowedSocket = ""
    public var allowedReading = ""
    public var allowedWriting = ""
    public var hide = ""
    public var idRanges = ""
    public var fakeRoot = ""
    public var systemCalls = ""
    public var start = ""
    public var directory = ""
    public var limit = ""
    public var executionLabel = ""
    public var fileLabel = ""
    public var noNestedUser = ""
    public var assertNoNestedUser = ""
    public var finalUser = ""

    public init() {}

    /// Set once, before the first launch.
    nonisolated(unsafe) public static var current = OptionNames()
}
