// SPDX-License-Identifier: Apache-2.0

/// One option of the command line, as data. Help, the manual page and the shells' completions are made
/// from the same table that the parser looks options up in.
struct Option {
    let name: StaticString
    /// The names of its arguments, separated by blanks; `[=...]` for one that may be left out.
    let arguments: StaticString
    let id: OptionID
    let section: Section
    let group: GroupPart
    let help: StaticString

    init(
        _ name: StaticString, _ arguments: StaticString, _ id: OptionID, _ section: Section,
        _ group: GroupPart, _ help: StaticString
    ) {
        self.name = name
        self.arguments = arguments
        self.id = id
        self.section = section
        self.group = group
        self.help = help
    }

    /// A dash and a letter. bubblewrap has none.
    var isShort: Bool { name.utf8CodeUnitCount == 2 }

    /// How many arguments follow it.
    var arity: Int {
        if arguments.utf8CodeUnitCount == 0 || isOptionalValue { return 0 }
        var count = 1
        for index in 0..<arguments.utf8CodeUnitCount
        where arguments.utf8Start[index] == UInt8(ascii: " ") {
            count += 1
        }
        return count
    }

    /// Its value may be given only as `--option=VALUE`, or not at all.
    var isOptionalValue: Bool {
        arguments.utf8CodeUnitCount > 0 && arguments.utf8Start[0] == UInt8(ascii: "[")
    }
}

/// The headings under which help shows the options, in order.
enum Section: CaseIterable {
    case general, root, mounts, namespaces, identity, environment, process, limits, report, hidden

    var title: String {
        switch self {
        case .general: "General"
        case .root: "The root file system"
        case .mounts: "Mounts and files, in the order given"
        case .namespaces: "Namespaces"
        case .identity: "Identity and privileges"
        case .environment: "Environment"
        case .process: "The process"
        case .limits: "Limits"
        case .report: "Reports and synchronization"
        case .hidden: ""
        }
    }
}

/// What an option is to the processes of a group (`--join`), whose holder keeps what it was set up with: see ``GroupWords``.
enum GroupPart {
    /// Of what is set up, and kept. Of its values the first, or the first two, are paths that whoever joins would look for
    /// elsewhere; or the first is the root, the path in `A=PATH`, a file unless it is the word `default`, or a path that may
    /// begin in one's home.
    case world, worldPath, worldPaths, worldRoot, worldProgram, worldFile, worldPattern
    /// Kept, too; and it may be given by who joins. What takes variables away keeps secrets from a program, and who joins is
    /// not to bring them.
    case both
    /// Of one command.
    case own
    /// Of what is set up, by a descriptor: nobody else can give it again.
    case descriptor
}

/// What an option means to the request builder, by the part of it that deals with the option. Their switches have no
/// `default`: an option that nobody handles does not compile.
enum OptionID: Equatable {
    case general(General)
    case report(Report)
    case root(Root)
    case mount(Mount)
    case namespace(Namespace)
    case process(Process)

    enum General {
        case help, shortHelp, version, arguments, preset, engine, require, explain, doctor, verbose,
            quiet
        case list, stop, generate, debug
    }

    enum Report {
        case infoFD, jsonStatusFD, syncFD, blockFD, usernsBlockFD, levelPrefix
    }

    enum Root {
        case rootfs, entryPoint, writable, ephemeral, overlayDirectory, home, currentDirectory
        case hostRoot, hostExec, architecture, emulator, device, deviceDirectory, nvidia
        case reuse, reuseIdle, allowSocket, allowRead, allowWrite, hide
    }

    enum Mount {
        case bind, bindTry, devBind, devBindTry, roBind, roBindTry, bindFD, roBindFD
        case overlaySource, overlayOptions, overlay, tmpOverlay, roOverlay, remountReadOnly, proc
        case dev, tmpfs, mqueue, lockFile, directory, file, bindData, roBindData, symlink, chmod
        case perms, size
    }

    enum Namespace {
        case sharePID, join, network, allowHost, unshareUser, unshareUserTry, unshareIPC, unsharePID
        case unshareNetwork, unshareUTS, unshareCgroup, unshareCgroupTry, unshareAll, shareNetwork
        case userns, userns2, pidns, netns, disableUserns, assertUsernsDisabled, hostname, uid
        case gid, fakeRoot, mapAuto, mapUsers, mapGroups, capAdd, capDrop, seccomp, addSeccomp,
            seccompProfile
        case scopeAbstract, scopeAbstractTry, execLabel, fileLabel, notASecurityBoundary,
            procFallback
    }

    enum Process {
        case setenv, unsetenv, clearenv, cleanEnvironment, environmentFile, chdir, argument0
        case newSession, dieWithParent, linger, forwardSignals, asPidOne, timeout, killAfter, rlimit
        case groupLimit
        case detach, log
    }
}

enum OptionTable {
    static let options: [Option] = [
        Option("--help", "", .general(.help), .general, .own, "Print this help."),
        Option(
            "-h", "", .general(.shortHelp), .general, .own,
            "Print the options that are used most, and examples."),
        Option("-V", "", .general(.version), .hidden, .own, "Print the version."),
        Option("--version", "", .general(.version), .general, .own, "Print the version."),
        Option(
            "--args", "FD", .general(.arguments), .general, .own,
            "Read further arguments, separated by NUL bytes, from the descriptor FD."),
        Option(
            "--preset", "NAME", .general(.preset), .general, .world,
            """
            A named set of options, which others change: host, rootfs, toolbox, action, test, sandbox, hpc, or \
            one of your own; list shows them.
            """
        ),
        Option(
            "--engine", "NAME", .general(.engine), .general, .own,
            "userns (or what NSRUN_ENGINE says); fakechroot, proot; auto: the first that this host allows."
        ),
        Option(
            "--require", "isolation", .general(.require), .general, .own,
            "An engine that isolates less than asked for is an error, not a warning."),
        Option(
            "--explain", "[=json]", .general(.explain), .general, .own,
            "Run nothing; print the steps of the launch and what the command would see."),
        Option(
            "--doctor", "", .general(.doctor), .general, .own,
            "Try what this host allows; name the remedy for what it does not."),
        Option(
            "--verbose", "", .general(.verbose), .general, .own,
            "Print each step with its time on standard error."),
        Option("--quiet", "", .general(.quiet), .general, .own, "Print no warnings."),
        Option(
            "--list", "[=json]", .general(.list), .general, .own,
            "Print the worlds and groups of yours that are kept: name, since when, processes, root, options."
        ),
        Option(
            "--stop", "NAME", .general(.stop), .general, .own,
            "End the processes of the group NAME: TERM, and KILL after --kill-after or 10s. Of a world what runs goes on."
        ),
        Option(
            "--generate", "KIND", .general(.generate), .hidden, .own,
            "Print the manual page or a completion: man, bash, zsh, fish."),
        Option(
            "--debug-opt", "NAME", .general(.debug), .hidden, .own,
            "Exercise the paths for older kernels."),

        Option(
            "--rootfs", "R", .root(.rootfs), .root, .worldRoot,
            "The root is R: the path of a directory or a squashfs file, with a slash in it, or a name in the rootfs store. It is read-only."
        ),
        Option(
            "--entrypoint", "", .root(.entryPoint), .root, .own,
            "The words after -- are arguments of the image's entry point."),
        Option(
            "--writable", "", .root(.writable), .root, .world,
            "The rootfs itself is writable: changes stay."),
        Option(
            "--ephemeral", "", .root(.ephemeral), .root, .world,
            "The root is writable, in memory: changes vanish."),
        Option(
            "--overlay-dir", "DIR", .root(.overlayDirectory), .root, .worldPath,
            "The root is writable: changes are kept in DIR, the rootfs stays untouched."),
        Option("--home", "", .root(.home), .root, .world, "Bind $HOME at the same path."),
        Option(
            "--cwd", "", .root(.currentDirectory), .root, .world,
            "Bind the current directory at the same path, and start there."),
        Option(
            "--host-root", "", .root(.hostRoot), .root, .world,
            "Show the host's / read-only at /run/host."),
        Option(
            "--host-exec", "", .root(.hostExec), .root, .own,
            "COMMAND is a host program: start it through the host's loader and libraries."),

        Option(
            "--allow-socket", "PATH", .root(.allowSocket), .root, .worldPath,
            "Reach this socket of the host's, or those of a directory, and no others; may be repeated."
        ),
        Option(
            "--allow-read", "PATH|GLOB", .root(.allowRead), .root, .worldPattern,
            "Show this file or directory of the host's, read-only, at its own path; may be repeated."
        ),
        Option(
            "--allow-write", "PATH|GLOB", .root(.allowWrite), .root, .worldPattern,
            "The same, to be written; what is not there is made, a directory for PATH/."),
        Option(
            "--hide", "PATH|GLOB", .root(.hide), .root, .world,
            "Cover files and directories that are there, as in '~/.ssh' or '**/.env'; may be repeated."
        ),

        Option(
            "--reuse", "NAME", .root(.reuse), .root, .own,
            "Start from a copy of the world NAME, set up once and kept; auto: the one that has what is asked for."
        ),
        Option(
            "--reuse-idle", "DURATION", .root(.reuseIdle), .root, .own,
            "Keep it until nobody has started from it for so long; 30 s unless given."),

        Option(
            "--arch", "A", .root(.architecture), .root, .world,
            "Programs for A run, too: register QEMU in a binfmt_misc of this run's own."),
        Option(
            "--emulator", "A=PATH", .root(.emulator), .root, .worldProgram,
            "The same with the static QEMU at PATH."),

        Option(
            "--device", "NAME", .root(.device), .root, .world,
            "Show the device vendor.com/class=name, as a file of /etc/cdi or /var/run/cdi has it."),
        Option(
            "--cdi-spec-dir", "DIR", .root(.deviceDirectory), .root, .worldPath,
            "Look for such files in DIR instead; may be repeated, the last one goes first."),
        Option(
            "--nvidia", "", .root(.nvidia), .root, .world,
            "Show the host's NVIDIA driver: libraries, devices and tools, without such a file."),

        Option(
            "--bind", "SRC DEST", .mount(.bind), .mounts, .worldPath,
            "Bind the host path SRC on DEST."),
        Option(
            "--bind-try", "SRC DEST", .mount(.bindTry), .mounts, .worldPath,
            "The same; nothing if SRC is missing."),
        Option(
            "--dev-bind", "SRC DEST", .mount(.devBind), .mounts, .worldPath,
            "Bind SRC on DEST; its device nodes can be used."),
        Option(
            "--dev-bind-try", "SRC DEST", .mount(.devBindTry), .mounts, .worldPath,
            "The same; nothing if SRC is missing."),
        Option(
            "--ro-bind", "SRC DEST", .mount(.roBind), .mounts, .worldPath,
            "Bind SRC read-only on DEST."),
        Option(
            "--ro-bind-try", "SRC DEST", .mount(.roBindTry), .mounts, .worldPath,
            "The same; nothing if SRC is missing."),
        Option(
            "--bind-fd", "FD DEST", .mount(.bindFD), .mounts, .descriptor,
            "Bind an open directory or file on DEST."),
        Option(
            "--ro-bind-fd", "FD DEST", .mount(.roBindFD), .mounts, .descriptor,
            "The same, read-only."),
        Option(
            "--overlay-src", "SRC", .mount(.overlaySource), .mounts, .worldPath,
            "A layer of the next overlay; each lies over the one before."),
        Option(
            "--overlay-opt", "OPTIONS", .mount(.overlayOptions), .mounts, .world,
            "Mount options of the next overlay for the kernel, as in index=off,xino=off."),
        Option(
            "--overlay", "RWSRC WORKDIR DEST", .mount(.overlay), .mounts, .worldPaths,
            "Mount an overlay on DEST; changes go to RWSRC, WORKDIR is the kernel's."),
        Option(
            "--tmp-overlay", "DEST", .mount(.tmpOverlay), .mounts, .world,
            "Mount an overlay on DEST; changes go to memory."),
        Option(
            "--ro-overlay", "DEST", .mount(.roOverlay), .mounts, .world,
            "Mount a read-only overlay on DEST."),
        Option(
            "--remount-ro", "DEST", .mount(.remountReadOnly), .mounts, .world,
            "Make the mount DEST read-only, not what is mounted below it."),
        Option("--proc", "DEST", .mount(.proc), .mounts, .world, "Mount a fresh proc on DEST."),
        Option("--dev", "DEST", .mount(.dev), .mounts, .world, "Mount a small new /dev on DEST."),
        Option("--tmpfs", "DEST", .mount(.tmpfs), .mounts, .world, "Mount an empty tmpfs on DEST."),
        Option(
            "--mqueue", "DEST", .mount(.mqueue), .mounts, .world,
            "Mount a new message queue file system."),
        Option(
            "--lock-file", "DEST", .mount(.lockFile), .mounts, .own,
            "Hold a lock on the file DEST while the run lasts."),
        Option("--dir", "DEST", .mount(.directory), .mounts, .world, "Make the directory DEST."),
        Option(
            "--file", "FD DEST", .mount(.file), .mounts, .descriptor,
            "Copy what the descriptor FD gives to the file DEST."),
        Option(
            "--bind-data", "FD DEST", .mount(.bindData), .mounts, .descriptor,
            "Copy what FD gives to a file in memory, bound on DEST."),
        Option(
            "--ro-bind-data", "FD DEST", .mount(.roBindData), .mounts, .descriptor,
            "The same, read-only."),
        Option(
            "--symlink", "TEXT DEST", .mount(.symlink), .mounts, .world,
            "Make DEST a symbolic link to TEXT."),
        Option(
            "--chmod", "MODE PATH", .mount(.chmod), .mounts, .world,
            "Change the mode (octal) of PATH."),
        Option(
            "--perms", "MODE", .mount(.perms), .mounts, .world,
            "The mode (octal) of what the next option makes."),
        Option(
            "--size", "BYTES", .mount(.size), .mounts, .world, "The size of the next --tmpfs."),

        Option(
            "--share-pid", "", .namespace(.sharePID), .namespaces, .world,
            "No pid namespace: the command replaces nsrun in place and sees the host's /proc."),
        Option(
            "--proc-fallback", "", .namespace(.procFallback), .namespaces, .world,
            "Where a container masks parts of /proc, show that one: its processes and their numbers."
        ),
        Option(
            "--join", "NAME", .namespace(.join), .namespaces, .own,
            "Share namespaces and root with all who join NAME, alone with its own options; auto: with this job step (MPI ranks)."
        ),
        Option(
            "--network", "host|none|pasta[=PORT[:INSIDE],...]", .namespace(.network), .namespaces,
            .world,
            "The host's network; one of its own with nothing but lo; or one that pasta connects, and passes ports on to."
        ),
        Option(
            "--allow-host", "NAME:PORT", .namespace(.allowHost), .namespaces, .world,
            "A network of its own that reaches this server by TCP, and no other; may be repeated."),
        Option(
            "--unshare-user", "", .namespace(.unshareUser), .namespaces, .world,
            "A new user namespace (there is one already, unless run as bwrap)."),
        Option(
            "--unshare-user-try", "", .namespace(.unshareUserTry), .namespaces, .world,
            "The same where possible, else none."),
        Option(
            "--unshare-ipc", "", .namespace(.unshareIPC), .namespaces, .world,
            "A new ipc namespace."),
        Option(
            "--unshare-pid", "", .namespace(.unsharePID), .namespaces, .world,
            "A new pid namespace."),
        Option(
            "--unshare-net", "", .namespace(.unshareNetwork), .namespaces, .world,
            "A new network namespace."),
        Option(
            "--unshare-uts", "", .namespace(.unshareUTS), .namespaces, .world,
            "A new uts namespace."),
        Option(
            "--unshare-cgroup", "", .namespace(.unshareCgroup), .namespaces, .world,
            "A new cgroup namespace."),
        Option(
            "--unshare-cgroup-try", "", .namespace(.unshareCgroupTry), .namespaces, .world,
            "The same where possible, else none."),
        Option(
            "--unshare-all", "", .namespace(.unshareAll), .namespaces, .world, "All of the above."),
        Option(
            "--share-net", "", .namespace(.shareNetwork), .namespaces, .world,
            "Keep the host's network in spite of --unshare-all."),
        Option(
            "--userns", "FD", .namespace(.userns), .namespaces, .descriptor,
            "Enter this user namespace; make none."),
        Option(
            "--userns2", "FD", .namespace(.userns2), .namespaces, .descriptor,
            "Enter this user namespace when the root stands."),
        Option(
            "--pidns", "FD", .namespace(.pidns), .namespaces, .descriptor,
            "Enter this pid namespace."),
        Option(
            "--netns", "FD", .namespace(.netns), .namespaces, .descriptor,
            "Enter this network namespace; make none."),
        Option(
            "--disable-userns", "", .namespace(.disableUserns), .namespaces, .world,
            "The command cannot make user namespaces."),
        Option(
            "--assert-userns-disabled", "", .namespace(.assertUsernsDisabled), .namespaces, .world,
            "Fail if the command could make user namespaces."),
        Option(
            "--hostname", "NAME", .namespace(.hostname), .namespaces, .world,
            "The host name inside."),

        Option("--uid", "N", .namespace(.uid), .identity, .world, "The user id inside."),
        Option("--gid", "N", .namespace(.gid), .identity, .world, "The group id inside."),
        Option(
            "--fake-root", "", .namespace(.fakeRoot), .identity, .world,
            "Be root inside; chown, set*id, mknod and the like appear to succeed."),
        Option(
            "--map-auto", "", .namespace(.mapAuto), .identity, .world,
            "Map your ranges of /etc/subuid and /etc/subgid, from 0 on."),
        Option(
            "--map-users", "I:O:N", .namespace(.mapUsers), .identity, .world,
            "Map N user ids from O outside to I inside; may be repeated."),
        Option(
            "--map-groups", "I:O:N", .namespace(.mapGroups), .identity, .world,
            "The same for group ids."),
        Option(
            "--cap-add", "CAP", .namespace(.capAdd), .identity, .world,
            "Give the command a capability inside, or ALL."),
        Option(
            "--cap-drop", "CAP", .namespace(.capDrop), .identity, .world,
            "Take a capability from it, or ALL."),
        Option(
            "--seccomp", "FD", .namespace(.seccomp), .identity, .descriptor,
            "Install the seccomp program that FD gives."),
        Option(
            "--add-seccomp-fd", "FD", .namespace(.addSeccomp), .identity, .descriptor,
            "The same; may be given more than once."),
        Option(
            "--seccomp-profile", "default|FILE", .namespace(.seccompProfile), .identity, .worldFile,
            "Refuse the system calls that a stranger's program needs none of, or what FILE says (OCI)."
        ),
        Option(
            "--scope-abstract-af-unix", "", .namespace(.scopeAbstract), .identity, .world,
            "Reach no abstract socket of others (Landlock, Linux 6.12)."),
        Option(
            "--scope-abstract-af-unix-try", "", .namespace(.scopeAbstractTry), .identity, .world,
            "The same where the kernel can do it."),
        Option(
            "--exec-label", "LABEL", .namespace(.execLabel), .identity, .world,
            "The SELinux label of the command."),
        Option(
            "--file-label", "LABEL", .namespace(.fileLabel), .identity, .world,
            "The SELinux label of files that are made."),
        Option(
            "--not-a-security-boundary", "", .namespace(.notASecurityBoundary), .identity, .world,
            "Pass over a mount below a bound directory that cannot be made read-only."),

        Option(
            "--setenv", "NAME VALUE", .process(.setenv), .environment, .own,
            "Set an environment variable."),
        Option("--unsetenv", "NAME", .process(.unsetenv), .environment, .both, "Unset one."),
        Option(
            "--clearenv", "", .process(.clearenv), .environment, .both,
            "Unset all of them, but PWD."),
        Option(
            "--clean-env", "", .process(.cleanEnvironment), .environment, .both,
            "Start from HOME, PATH, TERM, LANG and USER only."),
        Option(
            "--env-file", "FILE", .process(.environmentFile), .environment, .own,
            "Set what FILE says, a line NAME=VALUE each; # begins a comment."),

        Option("--chdir", "DIR", .process(.chdir), .process, .own, "Start in DIR."),
        Option(
            "--argv0", "NAME", .process(.argument0), .process, .own,
            "The command's own name, instead of its path."),
        Option(
            "--new-session", "", .process(.newSession), .process, .own,
            "A session of its own, without a controlling terminal."),
        Option(
            "--die-with-parent", "", .process(.dieWithParent), .process, .own,
            "Kill the command when nsrun, or what started it, ends."),
        Option(
            "--linger", "", .process(.linger), .process, .own,
            "The run lasts until its last process ends, be nsrun and the command gone."),
        Option(
            "--detach", "", .process(.detach), .process, .own,
            "Return when the command has started, and print the name to --join and --stop it by."),
        Option(
            "--log", "FILE", .process(.log), .process, .own,
            "What a detached command writes goes to FILE; else to ~/.local/state/nsrun/logs/NAME.log."
        ),
        Option(
            "--forward-signals", "", .process(.forwardSignals), .process, .own,
            "Hand signals on to the command; as bwrap, with --die-with-parent too."),
        Option(
            "--as-pid-1", "", .process(.asPidOne), .process, .own, "The command itself is pid 1."),

        Option(
            "--timeout", "DURATION", .process(.timeout), .limits, .own,
            "Send TERM after this time (30, 1.5m, 2h, 500ms); the exit status is 124."),
        Option(
            "--kill-after", "DURATION", .process(.killAfter), .limits, .own,
            "Send KILL this much later; 10s unless said."),
        Option(
            "--rlimit", "NAME=SOFT[:HARD]", .process(.rlimit), .limits, .both,
            "A resource limit: nofile, nproc, as, cpu, core, fsize, ...; or unlimited."),
        Option(
            "--limit", "NAME=MOST[,...]", .process(.groupLimit), .limits, .own,
            "What all processes may have together: memory=1G, cpu=1.5, pids=200, io=50M (a second, each disk); by cgroup v2."
        ),

        Option(
            "--info-fd", "FD", .report(.infoFD), .report, .own,
            "Write the pid and the namespaces of the run to FD, in JSON."),
        Option(
            "--json-status-fd", "FD", .report(.jsonStatusFD), .report, .own,
            "Write pids, namespaces and the exit status to FD, a JSON object a line."),
        Option(
            "--sync-fd", "FD", .report(.syncFD), .report, .own, "Keep FD open while the run lasts."),
        Option(
            "--block-fd", "FD", .report(.blockFD), .report, .own,
            "Start the command when FD has something to read."),
        Option(
            "--userns-block-fd", "FD", .report(.usernsBlockFD), .report, .own,
            "Leave the id maps to somebody else, who then writes to FD."),
        Option(
            "--level-prefix", "", .report(.levelPrefix), .report, .own,
            "Begin each message with its level, as in <3>, for systemd's journal."),
    ]

    static func find(_ name: ArraySlice<UInt8>) -> Option? {
        for option in options where matches(option.name, name) { return option }
        return nil
    }

    private static func matches(_ name: StaticString, _ text: ArraySlice<UInt8>) -> Bool {
        let count = name.utf8CodeUnitCount
        guard text.count == count else { return false }
        for index in 0..<count where text[text.startIndex + index] != name.utf8Start[index] {
            return false
        }
        return true
    }
}

extension StaticString {
    var text: String { withUTF8Buffer { String(decoding: $0, as: UTF8.self) } }
}
