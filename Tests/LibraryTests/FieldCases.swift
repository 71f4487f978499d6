// SPDX-License-Identifier: Apache-2.0

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
    request.root.view = .rootfs(stage.root)
}

@Sendable private func fromHere(_ request: inout LaunchRequest, _ stage: Stage) {
    inRoot(&request, stage)
    request.program.workingDirectory = nil
}

extension FieldCase {
    static let root: [FieldCase] = [
        FieldCase(
            name: "root.view", script: "[ -e /.nsrun ] && echo root", effect: .prints("root"),
            change: inRoot),
        FieldCase(
            name: "root.layer", script: "echo new >/etc/new && cat /etc/new",
            effect: .prints("new"),
            base: inRoot,
            change: { request, _ in request.root.layer = .memory }),
        FieldCase(
            name: "files.operations", script: "echo new >/mnt/new && cat /mnt/new",
            effect: .prints("new")
        ) { request, _ in
            request.files.operations = [
                FileSystemOperation(.tmpfs(target: "/mnt", mode: 0o755, size: nil))
            ]
        },
        FieldCase(name: "files.home", script: "ls -A ~ | wc -l", effect: .prints("0")) {
            request, _ in
            request.files.home = .empty
        },
        FieldCase(
            name: "files.bindsCurrentDirectory", script: "[ -e Package.swift ] && echo here",
            effect: .prints("here"),
            base: fromHere,
            change: { request, _ in request.files.bindsCurrentDirectory = true }),
        FieldCase(
            name: "files.bindsSourceTree", script: "[ -e Package.swift ] && echo here",
            effect: .prints("here"),
            base: fromHere,
            change: { request, _ in request.files.bindsSourceTree = true }),
        FieldCase(
            name: "files.showsHostRoot", script: "[ -d /run/host/etc ] && echo host",
            effect: .prints("host"),
            base: inRoot,
            change: { request, _ in request.files.showsHostRoot = true }),
        FieldCase(
            name: "files.homePath", script: "grep -c :/home/of-hers: /etc/passwd",
            effect: .prints("1"), base: inRoot,
            change: { request, _ in request.files.homePath = "/home/of-hers" }),
        FieldCase(
            name: "files.keepsRootPlaces", script: "[ -d /run/lock ] && echo lock",
            effect: .prints("lock"),
            base: inRoot,
            change: { request, _ in request.files.keepsRootPlaces = true }),
        FieldCase(
            name: "files.showsProgramsAlone", script: "[ -d /var/lib ] || echo alone",
            effect: .prints("alone"),
            base: { request, _ in request.root.view = .rootfs("/") },
            change: { request, _ in request.files.showsProgramsAlone = true }),
        // See AllowedSocketTests.
        FieldCase(name: "files.allowedSockets", effect: .refused("cannot allow the socket /none")) {
            request, _ in
            request.files.allowedSockets = ["/none"]
        },
        // See AllowedPathTests.
        FieldCase(name: "files.readable", effect: .refused("cannot allow /none to be read")) {
            request, _ in
            request.files.readable = ["/none"]
        },
        FieldCase(name: "files.writable", effect: .refused("cannot allow /none/x to be written")) {
            request, _ in
            request.files.writable = ["/none/x"]
        },
        // See HiddenPlaceTests.
        FieldCase(
            name: "files.hidden", script: "cat /etc/hostname 2>/dev/null || echo hidden",
            effect: .prints("hidden")
        ) { request, _ in request.files.hidden = ["/etc/host[n]ame"] },
        FieldCase(name: "files.hidesSockets", effect: .planned) { request, _ in
            request.files.hidesSockets = true
        },
        // What it does hangs on how new the kernel is.
        FieldCase(name: "namespaces.scopesSockets", effect: .planned) { request, _ in
            request.namespaces.scopesSockets = true
        },
        FieldCase(
            name: "namespaces.abstractSockets",
            effect: .planned
        ) { request, _ in request.namespaces.abstractSockets = .scoped },
        FieldCase(
            name: "files.hostParts", script: "[ -e /dev/pts/ptmx ] && [ -e /dev/kmsg ] && echo all",
            effect: .prints("all"), base: inRoot,
            change: { request, _ in request.files.hostParts = .devices }),
        FieldCase(
            name: "files.leavesOutMissing", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.files.bindsCurrentDirectory = true
            },
            facts: { $0.currentDirectory = nil },
            change: { request, _ in request.files.leavesOutMissing = true }),
        FieldCase(
            name: "program.runsHostProgram", script: "readlink /proc/$$/exe | grep -o /run/host",
            effect: .prints("/run/host"),
            base: { request, stage in
                inRoot(&request, stage)
                request.files.showsHostRoot = true
            },
            change: { request, _ in request.program.runsHostProgram = true }),
        FieldCase(
            name: "root.descriptor", effect: .refused("layer cannot lie over"),
            base: { request, stage in
                inRoot(&request, stage)
                request.root.layer = .memory
            },
            change: { request, stage in request.root.descriptor = stage.anything() }),
        FieldCase(name: "files.toleratesSubmounts", effect: .planned) { request, _ in
            request.files.toleratesSubmounts = true
        },
        FieldCase(name: "files.makesPlacesByUmask", effect: .planned) { request, _ in
            request.files.makesPlacesByUmask = true
        },
        // Every way leads to the same root, see LaunchingTests.everyMountPathWorks.
        FieldCase(name: "compatibility", effect: .planned) { request, _ in
            request.compatibility = [.mountAPI, .openat2]
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
            name: "namespaces.join", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.namespaces.new.remove(.pid)
            },
            change: { request, _ in request.namespaces.join = .named("nsrun-fields") }),
        FieldCase(
            name: "note", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.namespaces.join = .named("nsrun-fields")
            },
            change: { request, _ in request.note = "words" }),
        // See SecondTerminalTests.
        FieldCase(
            name: "namespaces.sharesLayer", effect: .planned,
            base: { request, stage in
                inRoot(&request, stage)
                request.namespaces.new.remove(.pid)
                request.root.layer = .directory(stage.place.appending(path: "layer"))
            },
            change: { request, _ in request.namespaces.sharesLayer = true }),
        // See ReuseTests for what it is, and that the rest stays as it was.
        FieldCase(
            name: "reuse", effect: .planned, base: inRoot,
            change: { request, _ in request.reuse = Reuse(.named("nsrun-fields")) }),
        // See NetworkTests.
        FieldCase(
            name: "network", script: "tail -n +3 /proc/net/dev | wc -l", effect: .prints("1")
        ) { request, _ in request.network = .none },
        FieldCase(
            name: "namespaces.proc", script: "[ $(readlink /proc/self) -gt 9 ] && echo outer",
            effect: .prints("outer")
        ) { request, _ in request.namespaces.proc = .outer },
        FieldCase(name: "namespaces.hostname", script: "uname -n", effect: .prints("inside")) {
            request, _ in
            request.namespaces.hostname = "inside"
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
            name: "identity.capabilities",
            script: "grep -o 'CapEff:.*0000000000000001' /proc/self/status | wc -l",
            effect: .prints("1")
        ) { request, _ in request.identity.capabilities = [.add(0)] },
        FieldCase(
            name: "program.filters", script: "uname >/dev/null 2>&1 || echo refused",
            effect: .prints("refused")
        ) { request, _ in request.program.filters = [refusingUname] },
        FieldCase(
            name: "program.systemCalls",
            script: "grep -q 'Seccomp:.2' /proc/self/status && echo filtered",
            effect: .prints("filtered")
        ) { request, _ in request.program.systemCalls = .standard },
        FieldCase(
            name: "identity.fakesRoot",
            script: "touch /tmp/file; chown 1:1 /tmp/file 2>/dev/null && echo done",
            effect: .prints("done")
        ) { request, _ in request.identity.fakesRoot = true },
        FieldCase(
            name: "identity.fakesDeviceNodes",
            script: "mknod /tmp/node c 1 3 2>/dev/null && echo done",
            effect: .prints("done")
        ) { request, _ in request.identity.fakesDeviceNodes = true },
        FieldCase(name: "program.label", effect: .refused("label")) { request, _ in
            request.program.label = "label"
        },
        FieldCase(name: "files.label", effect: .refused("label")) { request, _ in
            request.files.label = "label"
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
            name: "program.environment.start", script: "env | grep -c ^NSRUN_TEST",
            effect: .prints("0")
        ) {
            request, _ in
            request.program.environment.start = .clean
        },
        FieldCase(name: "program.environment.changes", script: "echo $NEW", effect: .prints("new"))
        {
            request, _ in
            request.program.environment.changes = [.set(name: "NEW", value: "new")]
        },
        // The shell would set it itself.
        FieldCase(
            name: "program.environment.setsPWD", effect: .prints("PWD=/elsewhere"),
            base: { request, _ in
                request.program.command = ["/usr/bin/env"]
                request.program.environment.start = .empty
                request.program.environment.changes = [.set(name: "PWD", value: "/elsewhere")]
            },
            change: { request, _ in request.program.environment.setsPWD = false }),
        FieldCase(name: "program.command", effect: .prints("other")) { request, _ in
            request.program.command = ["/bin/echo", "other"]
        },
        FieldCase(
            name: "program.argument0", script: "tr '\\0' ' ' </proc/$$/cmdline | cut -d ' ' -f 1",
            effect: .prints("other")
        ) { request, _ in request.program.argument0 = "other" },
        FieldCase(name: "program.workingDirectory", script: "pwd", effect: .prints("/usr")) {
            request, _ in
            request.program.workingDirectory = "/usr"
        },
        FieldCase(name: "program.startsWhereImageSays", effect: .planned) { request, _ in
            request.program.startsWhereImageSays = true
        },
        FieldCase(name: "program.limits", script: "ulimit -n", effect: .prints("77")) {
            request, _ in
            request.program.limits = [ResourceLimit(resource: 7, soft: 77, hard: 77)]
        },
        FieldCase(name: "program.emulators", effect: .refused("nosuch")) { request, _ in
            request.program.emulators = [EmulatorRequest(architecture: "nosuch")]
        },
        FieldCase(name: "limits", effect: .refused("cannot limit processes to so little")) {
            request, _ in
            request.limits.processes = 0
        },
        FieldCase(name: "devices.names", effect: .refused("vendor.com/class=nosuch")) {
            request, _ in
            request.devices.names = ["vendor.com/class=nosuch"]
        },
        FieldCase(
            name: "devices.directories", effect: .refused("field-")
        ) { request, stage in
            request.devices.names = ["vendor.com/class=nosuch"]
            request.devices.directories = [stage.place]
        },
        FieldCase(
            name: "devices.showsNVIDIADriver", effect: .refused("NVIDIA"),
            base: { request, stage in request.devices.driverRoot = stage.place },
            change: { request, _ in
                request.devices.showsNVIDIADriver = true
            }),
        FieldCase(
            name: "devices.driverRoot", effect: .refused("linker cache"),
            base: { request, _ in request.devices.showsNVIDIADriver = true },
            change: { request, stage in
                let modules = stage.folder.appending(path: "proc/driver/nvidia")
                let line = Data(
                    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  999.12.34  \n".utf8)
                try? FileManager.default.createDirectory(
                    at: modules, withIntermediateDirectories: true)
                try? line.write(to: modules.appending(path: "version"))
                request.devices.driverRoot = stage.place
            }),
        FieldCase(
            name: "program.standardInput", script: "cat", effect: .prints("given"),
            base: { request, stage in request.program.standardInput = stage.text("") },
            change: { request, stage in request.program.standardInput = stage.text("given") }),
        // The others are where a test sees what the command prints.
        FieldCase(
            name: "program.standardOutput", effect: .refused("descriptor")
        ) { request, _ in request.program.standardOutput = 999 },
        FieldCase(
            name: "program.standardError", effect: .refused("descriptor")
        ) { request, _ in request.program.standardError = 999 },
        FieldCase(
            name: "program.startsClean", script: "[ -e /proc/self/fd/$FD ] || echo closed",
            effect: .prints("closed"),
            base: { request, stage in
                let fd = ByteString(String(stage.anything()))
                request.program.environment.changes = [.set(name: "FD", value: fd)]
            },
            change: { request, _ in request.program.startsClean = true }),
        FieldCase(
            name: "program.closedDescriptors", script: "[ -e /proc/self/fd/$FD ] || echo closed",
            effect: .prints("closed"),
            base: { request, stage in
                let fd = stage.anything()
                request.program.environment.changes = [
                    .set(name: "FD", value: ByteString(String(fd)))
                ]
            },
            change: { request, _ in
                guard case .set(_, let value) = request.program.environment.changes[0] else {
                    return
                }
                request.program.closedDescriptors = [Int32(value.text)!]
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
