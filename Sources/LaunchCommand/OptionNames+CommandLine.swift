// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

extension OptionNames {
    /// The options of nsrun.
    static var commandLine: OptionNames {
        var words = OptionNames()
        words.unshare = "--unshare-"
        words.shareProcesses = "--share-pid"
        words.outerProc = "--proc-fallback"
        words.memoryLayer = "add --ephemeral"
        words.workingDirectory = "set --chdir"
        words.user = "set --uid"
        words.optionalBind = "--bind-try"
        words.enterRootfs = "nsrun --rootfs"
        words.architecture = "--arch"
        words.emulator = "--emulator"
        words.emulation = "--arch"
        words.hostExec = "--host-exec"
        words.join = "--join"
        words.reuse = "--reuse"
        words.reuseIdle = "--reuse-idle"
        words.stop = "nsrun --stop"
        words.list = "nsrun --list"
        words.hostNetwork = "--network host"
        words.network = "--network pasta"
        words.allowedHost = "--allow-host"
        words.allowedSocket = "--allow-socket"
        words.allowedReading = "--allow-read"
        words.allowedWriting = "--allow-write"
        words.hide = "--hide"
        words.doctor = "nsrun --doctor"
        words.engine = "--engine"
        words.features = [
            "--network none", "--hostname", "--unshare-ipc", "--unshare-cgroup", "a read-only bind",
            "--mqueue", "--ephemeral", "--overlay-dir", "an overlay", "--uid and --gid",
            "--map-auto", "--fake-root", "--cap-add", "--seccomp and --seccomp-profile",
            "--lock-file", "--sync-fd",
            "--info-fd", "--userns", "--disable-userns", "--exec-label", "--as-pid-1",
            "--host-exec", "--arch", "a root by descriptor", "--writable", "--host-root", "--chmod",
            "--size",
            "a squashfs file as the rootfs", "--join", "--device and --nvidia",
            "--limit",
        ]
        words.deviceBind = "--dev-bind"
        words.deviceDirectory = "--cdi-spec-dir"
        words.device = "--device"
        words.nvidia = "--nvidia"
        words.rootfs = "--rootfs"
        words.ephemeral = "--ephemeral"
        words.overlayDirectory = "--overlay-dir"
        words.home = "--home"
        words.currentDirectory = "--cwd"
        words.hostRoot = "--host-root"
        words.hostParts = "--preset toolbox"
        words.sourceTree = "--preset test"
        words.hostProgram = "--host-exec"
        words.idRanges = "--map-auto"
        words.fakeRoot = "--fake-root"
        words.systemCalls = "--seccomp-profile"
        words.fakeSingle = "--fake-root"
        words.idMaps = "--userns-block-fd"
        words.start = "--block-fd"
        words.directory = "--chdir"
        words.limit = "--rlimit"
        words.executionLabel = "--exec-label"
        words.fileLabel = "--file-label"
        words.noNestedUser = "--disable-userns"
        words.assertNoNestedUser = "--assert-userns-disabled"
        words.finalUser = "--userns2"
        return words
    }
}
