// SPDX-License-Identifier: Apache-2.0

/// One option of Apptainer's, as data.
struct ApptainerOption {
    /// Without its dashes.
    let name: StaticString
    /// Its one letter, 0 for none.
    let letter: UInt8
    /// The name of its value; empty where it takes none.
    let value: StaticString
    /// What the variables are called that say the same, without `APPTAINER_` and `SINGULARITY_`; empty for none.
    let variable: StaticString
    let id: ID
    let verbs: Verbs
    let help: StaticString

    init(
        _ name: StaticString, _ letter: StaticString, _ value: StaticString,
        _ variable: StaticString, _ id: ID, _ verbs: Verbs, _ help: StaticString
    ) {
        self.name = name
        self.letter = letter.utf8CodeUnitCount == 0 ? 0 : letter.utf8Start[0]
        self.value = value
        self.variable = variable
        self.id = id
        self.verbs = verbs
        self.help = help
    }

    var isFlag: Bool { value.utf8CodeUnitCount == 0 }

    /// Which verbs take it.
    struct Verbs: OptionSet {
        let rawValue: UInt16
        static let general = Verbs(rawValue: 1 << 0)
        /// exec, run, shell, test: whatever starts something in an image.
        static let action = Verbs(rawValue: 1 << 1)
        static let shell = Verbs(rawValue: 1 << 2)
        static let build = Verbs(rawValue: 1 << 3)
        static let pull = Verbs(rawValue: 1 << 4)
        static let inspect = Verbs(rawValue: 1 << 5)
        /// instance start, instance run: beside those of action.
        static let instance = Verbs(rawValue: 1 << 6)
        static let instanceList = Verbs(rawValue: 1 << 7)
        static let instanceStop = Verbs(rawValue: 1 << 8)
        static let cacheList = Verbs(rawValue: 1 << 9)
        static let cacheClean = Verbs(rawValue: 1 << 10)
    }

    /// What it means, by the part of the room that deals with it. Their switches have no `default`.
    enum ID: Equatable {
        case general(General)
        case action(Action)
        case make(Make)
        case inspect(Inspect)
        case instance(Instance)
        case cache(Cache)
    }

    enum General { case help, version, quiet, silent, verbose, debug, noColor }

    enum Action {
        case bind, mount, directory, home, noHome, contain, containAll, cleanEnvironment
        case environment, environmentFile, nvidia, writable, memoryLayer, overlay, fakeRoot
        case userNamespace, pid, network, networkKind, ipc, uts, hostname, workDirectory, scratch
        case noMount, noPrivileges, addCapabilities, dropCapabilities, device, noInit, noEvaluation
        case noUmask, compatible, shell, underlay
        /// Known, and refused by name.
        case refused
    }

    enum Make {
        case sandbox, force, fakeRoot, noHTTPS, name, directory, architecture, ignored
        case noTest, noCache, buildArgument, buildArgumentFile, allowsUnused
        /// Known, and refused by name.
        case refused
    }

    enum Instance { case all, json, logs, force, signal, timeout, pidFile, refused }

    enum Cache { case types, days, dryRun, force }

    enum Inspect { case json, environment, runScript, labels, definition, startScript, test, help }
}

enum ApptainerOptions {
    /// The option of a verb by its name.
    static func find(_ name: ByteSlice, for verbs: ApptainerOption.Verbs) -> ApptainerOption? {
        all.first { option in
            !option.verbs.isDisjoint(with: verbs) && isSame(option.name, name)
        }
    }

    /// By its letter; a verb's own before those of all.
    static func find(letter: UInt8, for verbs: ApptainerOption.Verbs) -> ApptainerOption? {
        let own = verbs.subtracting(.general)
        let found = all.filter { $0.letter == letter && !$0.verbs.isDisjoint(with: verbs) }
        return found.first { !$0.verbs.isDisjoint(with: own) } ?? found.first
    }

    typealias ByteSlice = ArraySlice<UInt8>

    private static func isSame(_ name: StaticString, _ other: ByteSlice) -> Bool {
        name.utf8CodeUnitCount == other.count
            && UnsafeBufferPointer(start: name.utf8Start, count: other.count).elementsEqual(other)
    }

    static let all: [ApptainerOption] = [
        .init("help", "h", "", "", .general(.help), .general, "print help"),
        .init("version", "", "", "", .general(.version), .general, "print the version"),
        .init("quiet", "q", "", "", .general(.quiet), .general, "say nothing but warnings"),
        .init("silent", "s", "", "", .general(.silent), .general, "say nothing but errors"),
        .init("verbose", "v", "", "", .general(.verbose), .general, "say more"),
        .init("debug", "d", "", "", .general(.debug), .general, "say what is done"),
        .init("nocolor", "", "", "", .general(.noColor), .general, "say it without colours"),

        .init(
            "bind", "B", "SRC[:DEST[:OPTS]]", "BIND", .action(.bind), .action,
            "a directory or file of the host's; several are separated by commas"),
        .init(
            "mount", "", "type=bind,...", "MOUNT", .action(.mount), .action,
            "the same: source=, destination=, ro"),
        .init("pwd", "", "DIR", "PWD", .action(.directory), .action, "start in DIR"),
        .init("cwd", "", "DIR", "CWD", .action(.directory), .action, "start in DIR"),
        .init(
            "home", "H", "SRC[:DEST]", "HOME", .action(.home), .action,
            "another home directory, and where it is inside"),
        .init(
            "no-home", "", "", "NO_HOME", .action(.noHome), .action,
            "do not bind the home directory"),
        .init(
            "contain", "c", "", "CONTAIN", .action(.contain), .action,
            "a /dev of few devices, and empty home, /tmp and /var/tmp"),
        .init(
            "containall", "C", "", "CONTAINALL", .action(.containAll), .action,
            "--contain, --cleanenv, --pid and --ipc"),
        .init(
            "cleanenv", "e", "", "CLEANENV", .action(.cleanEnvironment), .action,
            "leave the host's environment out"),
        .init(
            "env", "", "NAME=VALUE", "ENV", .action(.environment), .action,
            "set a variable; several are separated by commas"),
        .init(
            "env-file", "", "FILE", "ENV_FILE", .action(.environmentFile), .action,
            "set variables from the lines of a file"),
        .init("nv", "", "", "NV", .action(.nvidia), .action, "show the host's NVIDIA driver"),
        .init(
            "writable", "w", "", "WRITABLE", .action(.writable), .action,
            "changes stay in the directory"),
        .init(
            "writable-tmpfs", "", "", "WRITABLE_TMPFS", .action(.memoryLayer), .action,
            "changes go to memory and vanish"),
        .init(
            "overlay", "o", "DIR", "OVERLAY,OVERLAYIMAGE", .action(.overlay), .action,
            "changes are kept in DIR"),
        .init(
            "fakeroot", "f", "", "FAKEROOT", .action(.fakeRoot), .action,
            "be root inside, with subordinate ids where there are any"),
        .init(
            "userns", "u", "", "USERNS,UNSHARE_USERNS", .action(.userNamespace), .action,
            "as it always is"),
        .init("pid", "p", "", "PID,UNSHARE_PID", .action(.pid), .action, "a pid namespace"),
        .init("net", "n", "", "NET,UNSHARE_NET", .action(.network), .action, "a network namespace"),
        .init(
            "network", "", "NAME", "NETWORK", .action(.networkKind), .action, "what is in it: none"),
        .init("ipc", "i", "", "IPC,UNSHARE_IPC", .action(.ipc), .action, "an ipc namespace"),
        .init("uts", "", "", "UTS,UNSHARE_UTS", .action(.uts), .action, "a uts namespace"),
        .init(
            "hostname", "", "NAME", "HOSTNAME", .action(.hostname), .action,
            "the host's name inside"),
        .init(
            "workdir", "W", "DIR", "WORKDIR", .action(.workDirectory), .action,
            "where what --contain and --scratch make is kept"),
        .init(
            "scratch", "S", "DIR", "SCRATCH,SCRATCHDIR", .action(.scratch), .action,
            "an empty directory inside"),
        .init(
            "no-mount", "", "NAME", "NO_MOUNT", .action(.noMount), .action,
            "leave out: home, tmp, cwd"),
        .init("no-privs", "", "", "NO_PRIVS", .action(.noPrivileges), .action, "no capabilities"),
        .init(
            "add-caps", "", "CAPS", "ADD_CAPS", .action(.addCapabilities), .action,
            "capabilities to have inside"),
        .init(
            "drop-caps", "", "CAPS", "DROP_CAPS", .action(.dropCapabilities), .action,
            "capabilities not to have"),
        .init(
            "device", "", "NAME", "DEVICE", .action(.device), .action, "a device by its CDI name"),
        .init(
            "no-init", "", "", "NO_INIT,NOSHIMINIT", .action(.noInit), .action,
            "the command itself is pid 1"),
        .init(
            "no-eval", "", "", "NO_EVAL", .action(.noEvaluation), .action,
            "no shell looks at arguments and variables once more"),
        .init("no-umask", "", "", "NO_UMASK", .action(.noUmask), .action, "a umask of 0022"),
        .init(
            "compat", "", "", "COMPAT", .action(.compatible), .action,
            "--containall, --no-init, --no-umask, --no-eval and --writable-tmpfs"),
        .init("underlay", "", "", "UNDERLAY", .action(.underlay), .action, "as it always is"),
        .init("shell", "s", "PATH", "SHELL", .action(.shell), .shell, "which shell"),

        .init("app", "", "NAME", "APP,APPNAME", .action(.refused), .action, ""),
        .init("allow-setuid", "", "", "ALLOW_SETUID", .action(.refused), .action, ""),
        .init("apply-cgroups", "", "FILE", "APPLY_CGROUPS", .action(.refused), .action, ""),
        .init("blkio-weight", "", "N", "BLKIO_WEIGHT", .action(.refused), .action, ""),
        .init("cpus", "", "N", "CPUS", .action(.refused), .action, ""),
        .init("cpu-shares", "", "N", "CPU_SHARES", .action(.refused), .action, ""),
        .init("cpuset-cpus", "", "LIST", "CPUSET_CPUS", .action(.refused), .action, ""),
        .init("dns", "", "SERVERS", "DNS", .action(.refused), .action, ""),
        .init("fusemount", "", "SPEC", "FUSESPEC", .action(.refused), .action, ""),
        .init("keep-privs", "", "", "KEEP_PRIVS", .action(.refused), .action, ""),
        .init("memory", "", "SIZE", "MEMORY", .action(.refused), .action, ""),
        .init("memory-swap", "", "SIZE", "MEMORY_SWAP", .action(.refused), .action, ""),
        .init("network-args", "", "ARGS", "NETWORK_ARGS", .action(.refused), .action, ""),
        .init("nvccli", "", "", "NVCCLI", .action(.refused), .action, ""),
        .init("passphrase", "", "", "", .action(.refused), .action, ""),
        .init("pem-path", "", "FILE", "ENCRYPTION_PEM_PATH", .action(.refused), .action, ""),
        .init("pids-limit", "", "N", "PIDS_LIMIT", .action(.refused), .action, ""),
        .init("rocm", "", "", "ROCM", .action(.refused), .action, ""),
        .init("security", "", "SPEC", "SECURITY", .action(.refused), .action, ""),
        .init("sharens", "", "", "SHARENS", .action(.refused), .action, ""),
        .init("unsquash", "", "", "UNSQUASH", .action(.refused), .action, ""),

        .init("sandbox", "s", "", "SANDBOX", .make(.sandbox), .build, "make a directory"),
        .init("force", "F", "", "FORCE", .make(.force), [.build, .pull], "replace what is there"),
        .init("fakeroot", "f", "", "FAKEROOT", .make(.fakeRoot), .build, "as it always is"),
        .init(
            "no-https", "", "", "NOHTTPS,NO_HTTPS", .make(.noHTTPS), [.build, .pull, .action],
            "registries without encryption"),
        .init(
            "notest", "T", "", "NOTEST", .make(.noTest), .build,
            "do not run the %test of a definition file"),
        .init(
            "build-arg", "", "NAME=VALUE", "", .make(.buildArgument), .build,
            "what stands for {{ NAME }} in it; several are separated by commas"),
        .init(
            "build-arg-file", "", "FILE", "", .make(.buildArgumentFile), .build,
            "a file of such lines"),
        .init(
            "warn-unused-build-args", "", "", "", .make(.allowsUnused), .build,
            "there may be more of these than it asks for"),
        .init("fix-perms", "", "", "FIXPERMS", .make(.ignored), .build, "as it always is"),
        .init("userns", "u", "", "USERNS", .make(.ignored), .build, "as it always is"),
        .init("bind", "B", "SPEC", "", .make(.refused), .build, ""),
        .init("encrypt", "e", "", "ENCRYPT", .make(.refused), .build, ""),
        .init("json", "", "", "JSON", .make(.refused), .build, ""),
        .init("mksquashfs-args", "", "ARGS", "MKSQUASHFS_ARGS", .make(.refused), .build, ""),
        .init("mount", "", "SPEC", "", .make(.refused), .build, ""),
        .init("nv", "", "", "", .make(.refused), .build, ""),
        .init("section", "", "NAMES", "SECTION", .make(.refused), .build, ""),
        .init("update", "", "", "UPDATE", .make(.refused), .build, ""),
        .init("writable-tmpfs", "", "", "", .make(.refused), .build, ""),
        .init("name", "", "FILE", "PULL_NAME", .make(.name), .pull, "what the file is called"),
        .init(
            "dir", "", "DIR", "PULLDIR,PULLFOLDER", .make(.directory), .pull,
            "where the file is put"),
        .init(
            "arch", "", "NAME", "PULL_ARCH", .make(.architecture), [.pull, .build],
            "for which machine"),
        .init(
            "disable-cache", "", "", "DISABLE_CACHE", .make(.noCache), [.build, .pull, .action],
            "fetch anew, and keep nothing"),
        .init(
            "allow-unsigned", "U", "", "ALLOW_UNSIGNED", .make(.ignored), .pull, "as it always is"),
        .init(
            "allow-unauthenticated", "", "", "ALLOW_UNAUTHENTICATED", .make(.ignored), .pull,
            "as it always is"),

        .init(
            "pid-file", "", "FILE", "PID_FILE", .instance(.pidFile), .instance,
            "write its number to FILE"),
        .init("boot", "", "", "BOOT", .action(.refused), .instance, ""),
        .init(
            "all", "a", "", "", .instance(.all), [.instanceList, .instanceStop], "all instances"),
        .init("json", "j", "", "JSON", .instance(.json), .instanceList, "as JSON"),
        .init("logs", "l", "", "LOGS", .instance(.logs), .instanceList, "where their output goes"),
        .init("force", "F", "", "FORCE", .instance(.force), .instanceStop, "by KILL at once"),
        .init(
            "signal", "s", "NAME", "SIGNAL", .instance(.signal), .instanceStop,
            "TERM, as it always is, or KILL"),
        .init(
            "timeout", "t", "SECONDS", "STOP_TIMEOUT", .instance(.timeout), .instanceStop,
            "how long they have before KILL comes (10)"),
        .init(
            "user", "u", "NAME", "USER", .instance(.refused), [.instanceList, .instanceStop], ""),

        .init(
            "type", "T", "NAMES", "", .cache(.types), [.cacheList, .cacheClean],
            "of these kinds: all, or blob, library, net, oci-tmp, oras, shub"),
        .init(
            "days", "D", "N", "", .cache(.days), .cacheClean, "that are older than so many days"),
        .init("dry-run", "n", "", "", .cache(.dryRun), .cacheClean, "say what would be removed"),
        .init("force", "f", "", "", .cache(.force), .cacheClean, "do not ask"),

        .init("json", "j", "", "JSON", .inspect(.json), .inspect, "as JSON"),
        .init(
            "environment", "e", "", "ENVIRONMENT", .inspect(.environment), .inspect,
            "the environment"),
        .init("runscript", "r", "", "RUNSCRIPT", .inspect(.runScript), .inspect, "the runscript"),
        .init("labels", "l", "", "LABELS", .inspect(.labels), .inspect, "the labels"),
        .init(
            "deffile", "d", "", "DEFFILE", .inspect(.definition), .inspect, "the definition file"),
        .init(
            "startscript", "s", "", "STARTSCRIPT", .inspect(.startScript), .inspect,
            "the startscript"),
        .init("test", "t", "", "TEST", .inspect(.test), .inspect, "the test"),
        .init("helpfile", "H", "", "HELPFILE", .inspect(.help), .inspect, "the help"),
    ]
}
