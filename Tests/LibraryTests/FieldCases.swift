import Foundation
import NamespaceKit

/// A field of ``LaunchRequest``, and how it is seen that a launch honours it.
struct FieldCase: Sendable, CustomStringConvertible {
    enum Effect: Sendable {
        /// What the command prints, which it does not print without the field.
        case prints(String)
        /// The launch is refused in these words, and is none without the field.
        case refused(String)
        /// How the command ends.
        case ends(NamespaceKit.ExitStatus)
        /// What a launch cannot show everywhere is in the plan, which is what runs.
        case planned
    }

    let name: String
    var script = "true"
    let effect: Effect
    /// What the field needs beside it.
    var base: @Sendable (inout LaunchRequest, Stage) -> Void = { _, _ in }
    /// What the host would have to be for the plan to differ.
    var facts: @Sendable (inout HostFacts) -> Void = { _ in }
    let change: @Sendable (inout LaunchRequest, Stage) -> Void

    var description: String { name }
}

/// What a case has on the host for as long as it runs.
final class Stage {
    let folder: URL
    let root: ByteString
    private var pipes: [Pipe] = []

    init() throws {
        guard let root = ProcessInfo.processInfo.environment["NSRUN_TEST_ROOTFS"] else {
            throw Unfit()
        }
        self.root = ByteString(root)
        folder = FileManager.default.homeDirectoryForCurrentUser.appending(
            path: "field-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    struct Unfit: Error, CustomStringConvertible {
        let description = "NSRUN_TEST_ROOTFS must name a Debian root"
    }

    var place: ByteString { ByteString(folder.path) }

    /// The end to read from, with a text and then the end.
    func text(_ text: String) -> Int32 {
        let pipe = Pipe()
        pipes.append(pipe)
        pipe.fileHandleForWriting.write(Data(text.utf8))
        try? pipe.fileHandleForWriting.close()
        return pipe.fileHandleForReading.fileDescriptor
    }

    /// A descriptor that means nothing, and is not close-on-exec.
    func anything() -> Int32 {
        let pipe = Pipe()
        pipes.append(pipe)
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        _ = fcntl(descriptor, F_SETFD, 0)
        return descriptor
    }
}

@Sendable private func inRoot(_ request: inout LaunchRequest, _ stage: Stage) {
    request.view = .rootfs(stage.root)
}

@Sendable private func fromHere(_ request: inout LaunchRequest, _ stage: Stage) {
    inRoot(&request, stage)
    request.workingDirectory = nil
}

extension FieldCase {
    static let root: [FieldCase] = [
        FieldCase(
            name: "view", script: "[ -e /.nsrun ] && echo root", effect: .prints("root"),
            change: inRoot),
        FieldCase(
            name: "layer", script: "echo new >/etc/new && cat /etc/new", effect: .prints("new"),
            base: inRoot,
            change: { request, _ in request.layer = .memory }),
        FieldCase(
            name: "operations", script: "echo new >/mnt/new && cat /mnt/new", effect: .prints("new")
        ) { request, _ in
            request.operations = [
                FileSystemOperation(.tmpfs(target: "/mnt", mode: 0o755, size: nil))
            ]
        },
        FieldCase(name: "home", script: "ls -A ~ | wc -l", effect: .prints("0")) { request, _ in
            request.home = .empty
        },
        FieldCase(
            name: "bindsCurrentDirectory", script: "[ -e Package.swift ] && echo here",
            effect: .prints("here"),
            base: fromHere,
            change: { request, _ in request.bindsCurrentDirectory = true }),
        FieldCase(
            name: "bindsSourceTree", script: "[ -e Package.swift ] && echo here",
            effect: .prints("here"),
            base: fromHere,
            change: { request, _ in request.bindsSourceTree = true }),
        FieldCase(
            name: "showsHostRoot", script: "[ -d /run/host/etc ] && echo host",
            effect: .prints("host"),
            base: inRoot,
            change: { request, _ in request.showsHostRoot = true }),
        FieldCase(name: "hidesSockets", effect: .planned) { request, _ in
            request.hidesSockets = true
        },
        // What it does hangs on how new the kernel is.
        FieldCase(name: "scopesSockets", effect: .planned) { request, _ in
            request.scopesSockets = true
        },
        FieldCase(
            name: "abstractSockets",
            effect: .planned
        ) { request, _ in request.abstractSockets = .scoped },
        FieldCase(
            name: "hostParts", script: "[ -e /dev/pts/ptmx ] && [ -e /dev/kmsg ] && echo all",
            effect: .prints("all"), base: inRoot,
            change: { request, _ in request.hostParts = .devices }),
        FieldCase(
            name: "leavesOutMissing", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.bindsCurrentDirectory = true
            },
            facts: { $0.currentDirectory = nil },
            change: { request, _ in request.leavesOutMissing = true }),
        FieldCase(
            name: "runsHostProgram", script: "readlink /proc/$$/exe | grep -o /run/host",
            effect: .prints("/run/host"),
            base: { request, stage in
                inRoot(&request, stage)
                request.showsHostRoot = true
            },
            change: { request, _ in request.runsHostProgram = true }),
        FieldCase(
            name: "rootDescriptor", effect: .refused("layer cannot lie over"),
            base: { request, stage in
                inRoot(&request, stage)
                request.layer = .memory
            },
            change: { request, stage in request.rootDescriptor = stage.anything() }),
        FieldCase(name: "toleratesSubmounts", effect: .planned) { request, _ in
            request.toleratesSubmounts = true
        },
        FieldCase(name: "makesPlacesByUmask", effect: .planned) { request, _ in
            request.makesPlacesByUmask = true
        },
        // Every way leads to the same root, see LaunchingTests.everyMountPathWorks.
        FieldCase(name: "avoided", effect: .planned) { request, _ in
            request.avoided = [.mountAPI, .openat2]
        },
    ]

    static let namespaces: [FieldCase] = [
        FieldCase(
            name: "namespaces.new", script: "tail -n +3 /proc/net/dev | wc -l", effect: .prints("1")
        ) { request, _ in request.namespaces.new.insert(.network) },
        FieldCase(
            name: "namespaces.optional",
            script: "[ $(tail -n +3 /proc/net/dev | wc -l) = 1 ] && echo alone",
            effect: .prints("alone")
        ) { request, _ in request.namespaces.optional = .network },
        FieldCase(name: "namespaces.enteredUser", effect: .refused("a program with one thread")) {
            request, stage in
            request.namespaces.enteredUser = stage.anything()
        },
        FieldCase(
            name: "namespaces.enteredPID", effect: .refused("a program with one thread"),
            base: { request, _ in request.namespaces.new.remove(.pid) },
            change: { request, stage in request.namespaces.enteredPID = stage.anything() }),
        FieldCase(name: "namespaces.enteredNetwork", effect: .refused("a program with one thread"))
        {
            request, stage in
            request.namespaces.enteredNetwork = stage.anything()
        },
        FieldCase(name: "namespaces.finalUser", effect: .refused("namespace")) { request, stage in
            request.namespaces.finalUser = stage.anything()
        },
        FieldCase(
            name: "namespaces.forbidsNestedUser",
            script: "unshare -U true 2>/dev/null || echo none",
            effect: .prints("none")
        ) { request, _ in request.namespaces.forbidsNestedUser = true },
        FieldCase(name: "namespaces.requiresNoNestedUser", effect: .refused("namespace")) {
            request, _ in
            request.namespaces.requiresNoNestedUser = true
        },
        FieldCase(
            name: "namespaces.mostNested", script: "cat /proc/sys/user/max_net_namespaces",
            effect: .prints("17")
        ) { request, _ in request.namespaces.mostNested = 17 },
        // All by itself it is a group of one; see JoinTests for more.
        FieldCase(
            name: "join", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.namespaces.new.remove(.pid)
            },
            change: { request, _ in request.join = .named("nsrun-fields") }),
        // See NetworkTests.
        FieldCase(
            name: "connectsNetwork", effect: .planned,
            base: { request, _ in request.namespaces.new.insert(.network) },
            change: { request, _ in request.connectsNetwork = true }),
        FieldCase(
            name: "proc", script: "[ $(readlink /proc/self) -gt 9 ] && echo outer",
            effect: .prints("outer")
        ) { request, _ in request.proc = .outer },
        FieldCase(name: "hostname", script: "uname -n", effect: .prints("inside")) { request, _ in
            request.hostname = "inside"
        },
    ]

    static let identity: [FieldCase] = [
        FieldCase(name: "identity.user", script: "id -u", effect: .prints("7")) { request, _ in
            request.identity.user = 7
        },
        FieldCase(name: "identity.group", script: "id -g", effect: .prints("8")) { request, _ in
            request.identity.group = 8
        },
        FieldCase(name: "identity.users", effect: .refused("map")) { request, _ in
            request.identity.users = [IDRange(inside: 1, outside: 1, count: 1)]
        },
        FieldCase(name: "identity.groups", effect: .refused("map")) { request, _ in
            request.identity.groups = [IDRange(inside: 1, outside: 1, count: 1)]
        },
        FieldCase(
            name: "identity.mapsSubordinates",
            script: "[ $(wc -l </proc/self/uid_map) -gt 1 ] && echo many",
            effect: .prints("many")
        ) { request, _ in request.identity.mapsSubordinates = true },
        FieldCase(
            name: "identity.isOfImage",
            script: "grep -o 'CapEff:.*0000000000000000' /proc/self/status | wc -l",
            effect: .prints("1"), base: { request, _ in request.identity.user = 0 },
            change: { request, _ in request.identity.isOfImage = true }),
        FieldCase(
            name: "capabilities",
            script: "grep -o 'CapEff:.*0000000000000001' /proc/self/status | wc -l",
            effect: .prints("1")
        ) { request, _ in request.capabilities = [.add(0)] },
        FieldCase(
            name: "filters", script: "uname >/dev/null 2>&1 || echo refused",
            effect: .prints("refused")
        ) { request, _ in request.filters = [refusingUname] },
        FieldCase(
            name: "fakesRoot",
            script: "touch /tmp/file; chown 1:1 /tmp/file 2>/dev/null && echo done",
            effect: .prints("done")
        ) { request, _ in request.fakesRoot = true },
        FieldCase(
            name: "fakesDeviceNodes", script: "mknod /tmp/node c 1 3 2>/dev/null && echo done",
            effect: .prints("done")
        ) { request, _ in request.fakesDeviceNodes = true },
        FieldCase(name: "executionLabel", effect: .refused("label")) { request, _ in
            request.executionLabel = "label"
        },
        FieldCase(name: "fileLabel", effect: .refused("label")) { request, _ in
            request.fileLabel = "label"
        },
    ]

    /// uname(2) is refused (bpf(4)).
    private static let refusingUname: [UInt8] = {
        #if arch(x86_64)
            let number: UInt32 = 63
        #else
            let number: UInt32 = 160
        #endif
        func instruction(_ code: UInt16, _ jumps: (UInt8, UInt8), _ operand: UInt32) -> [UInt8] {
            withUnsafeBytes(of: code.littleEndian) { Array($0) } + [jumps.0, jumps.1]
                + withUnsafeBytes(of: operand.littleEndian) { Array($0) }
        }
        return instruction(0x20, (0, 0), 0) + instruction(0x15, (0, 1), number)
            + instruction(0x06, (0, 0), 0x0005_0001) + instruction(0x06, (0, 0), 0x7fff_0000)
    }()

    static let command: [FieldCase] = [
        FieldCase(
            name: "environment.start", script: "env | grep -c ^NSRUN_TEST", effect: .prints("0")
        ) {
            request, _ in
            request.environment.start = .clean
        },
        FieldCase(name: "environment.changes", script: "echo $NEW", effect: .prints("new")) {
            request, _ in
            request.environment.changes = [.set(name: "NEW", value: "new")]
        },
        // The shell would set it itself.
        FieldCase(
            name: "environment.setsPWD", effect: .prints("PWD=/elsewhere"),
            base: { request, _ in
                request.command = ["/usr/bin/env"]
                request.environment.start = .empty
                request.environment.changes = [.set(name: "PWD", value: "/elsewhere")]
            },
            change: { request, _ in request.environment.setsPWD = false }),
        FieldCase(name: "command", effect: .prints("other")) { request, _ in
            request.command = ["/bin/echo", "other"]
        },
        FieldCase(
            name: "argument0", script: "tr '\\0' ' ' </proc/$$/cmdline | cut -d ' ' -f 1",
            effect: .prints("other")
        ) { request, _ in request.argument0 = "other" },
        FieldCase(name: "workingDirectory", script: "pwd", effect: .prints("/usr")) { request, _ in
            request.workingDirectory = "/usr"
        },
        FieldCase(name: "startsWhereImageSays", effect: .planned) { request, _ in
            request.startsWhereImageSays = true
        },
        FieldCase(name: "limits", script: "ulimit -n", effect: .prints("77")) { request, _ in
            request.limits = [ResourceLimit(resource: 7, soft: 77, hard: 77)]
        },
        FieldCase(name: "emulators", effect: .refused("nosuch")) { request, _ in
            request.emulators = [EmulatorRequest(architecture: "nosuch")]
        },
        FieldCase(name: "devices", effect: .refused("vendor.com/class=nosuch")) { request, _ in
            request.devices = ["vendor.com/class=nosuch"]
        },
        FieldCase(
            name: "deviceDirectories", effect: .refused("field-")
        ) { request, stage in
            request.devices = ["vendor.com/class=nosuch"]
            request.deviceDirectories = [stage.place]
        },
        FieldCase(
            name: "showsNVIDIADriver", effect: .refused("NVIDIA"),
            base: { request, stage in request.driverRoot = stage.place },
            change: { request, _ in
                request.showsNVIDIADriver = true
            }),
        FieldCase(
            name: "driverRoot", effect: .refused("linker cache"),
            base: { request, _ in request.showsNVIDIADriver = true },
            change: { request, stage in
                let modules = stage.folder.appending(path: "proc/driver/nvidia")
                let line = Data(
                    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  999.12.34  \n".utf8)
                try? FileManager.default.createDirectory(
                    at: modules, withIntermediateDirectories: true)
                try? line.write(to: modules.appending(path: "version"))
                request.driverRoot = stage.place
            }),
        FieldCase(
            name: "standardInput", script: "cat", effect: .prints("given"),
            base: { request, stage in request.standardInput = stage.text("") },
            change: { request, stage in request.standardInput = stage.text("given") }),
        // The others are where a test sees what the command prints.
        FieldCase(
            name: "standardOutput", effect: .refused("descriptor")
        ) { request, _ in request.standardOutput = 999 },
        FieldCase(
            name: "standardError", effect: .refused("descriptor")
        ) { request, _ in request.standardError = 999 },
        FieldCase(
            name: "startsClean", script: "[ -e /proc/self/fd/$FD ] || echo closed",
            effect: .prints("closed"),
            base: { request, stage in
                let fd = ByteString(String(stage.anything()))
                request.environment.changes = [.set(name: "FD", value: fd)]
            },
            change: { request, _ in request.startsClean = true }),
        FieldCase(
            name: "closedDescriptors", script: "[ -e /proc/self/fd/$FD ] || echo closed",
            effect: .prints("closed"),
            base: { request, stage in
                let fd = stage.anything()
                request.environment.changes = [.set(name: "FD", value: ByteString(String(fd)))]
            },
            change: { request, _ in
                guard case .set(_, let value) = request.environment.changes[0] else { return }
                request.closedDescriptors = [Int32(value.text)!]
            }),
    ]

    static let lifecycle: [FieldCase] = [
        FieldCase(
            name: "lifecycle.timeout", script: "exec sleep 1000", effect: .ends(.signaled(SIGTERM))
        ) {
            request, _ in
            request.lifecycle.timeout = 1_000_000_000
        },
        FieldCase(
            name: "lifecycle.killAfter", script: "trap '' TERM; while :; do sleep 0.1; done",
            effect: .ends(.signaled(SIGKILL)),
            base: { request, _ in request.lifecycle.timeout = 1_000_000_000 },
            change: { request, _ in request.lifecycle.killAfter = 1_000_000_000 }),
        // See HostileProgramTests for a program that ends.
        FieldCase(name: "lifecycle.diesWithParent", effect: .planned) { request, _ in
            request.lifecycle.diesWithParent = true
        },
        FieldCase(name: "lifecycle.endsBySignals", effect: .refused("only where that is nsrun")) {
            request, _ in
            request.lifecycle.endsBySignals = true
        },
        // A group of a process that cannot be seen inside.
        FieldCase(
            name: "lifecycle.sharesProcessGroup", script: "cut -d ' ' -f 5 /proc/$$/stat",
            effect: .prints("0")
        ) { request, _ in request.lifecycle.sharesProcessGroup = true },
        FieldCase(
            name: "lifecycle.newSession",
            script: "[ $(cut -d ' ' -f 6 /proc/$$/stat) = $$ ] && echo own",
            effect: .prints("own")
        ) { request, _ in request.lifecycle.newSession = true },
        // See SurroundingsTests for keys.
        FieldCase(name: "lifecycle.keyring", effect: .planned) { request, _ in
            request.lifecycle.keyring = .own
        },
        FieldCase(name: "lifecycle.commandIsPidOne", script: "echo $$", effect: .prints("1")) {
            request, _ in
            request.lifecycle.commandIsPidOne = true
        },
        FieldCase(
            name: "lifecycle.lingers", script: "(sleep 0.3; echo late) & echo early",
            effect: .prints("early\nlate")
        ) { request, _ in request.lifecycle.lingers = true },
        FieldCase(name: "lifecycle.heldDescriptors", effect: .planned) { request, stage in
            request.lifecycle.heldDescriptors = [stage.anything()]
        },
        // See LaunchingTests for a command that waits.
        FieldCase(name: "lifecycle.startDescriptor", effect: .planned) { request, stage in
            request.lifecycle.startDescriptor = stage.anything()
        },
        // Nobody has written any.
        FieldCase(name: "lifecycle.mapsDescriptor", effect: .refused("value too large")) {
            request, stage in
            request.lifecycle.mapsDescriptor = stage.text("x")
        },
        FieldCase(name: "lifecycle.infoDescriptor", effect: .planned) { request, stage in
            request.lifecycle.infoDescriptor = stage.anything()
        },
        FieldCase(name: "lifecycle.statusDescriptor", effect: .planned) { request, stage in
            request.lifecycle.statusDescriptor = stage.anything()
        },
        FieldCase(name: "lifecycle.tellsCommandPID", effect: .planned) { request, _ in
            request.lifecycle.tellsCommandPID = false
        },
    ]

    static let all = root + namespaces + identity + command + lifecycle
}
