// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The options that a group or a world was set up with, as words: its holder keeps them (``LaunchRequest/note``), for whoever
/// joins a group by its name alone, and for `--list`.
///
/// What one command does is no part of them, nor is what a variable is set to: that may be a secret.
enum GroupWords {
    /// What an option is to the others of a group.
    enum Part: Equatable {
        /// Of the world: kept, with these of its values as absolute paths.
        case world(paths: [Int])
        /// Kept, too; and it may be given by who joins.
        case both
        /// Of one command.
        case own
        /// Of the world, and nobody else can give it again.
        case descriptor
    }

    /// Words that end with NUL bytes; empty where they would not be enough.
    static func note(for options: [ParsedOption]) -> ByteString {
        var bytes: [UInt8] = []
        for parsed in options {
            var values = parsed.values
            switch part(parsed) {
            case .own: continue
            case .descriptor: return ""
            case .both: break
            case .world(let paths): for index in paths { values[index] = absolute(values[index]) }
            }
            if parsed.id == .root(.rootfs) { values = [located(parsed.values[0])] }
            if parsed.id == .root(.emulator) { values = [withAbsolutePath(parsed.values[0])] }
            for word in [parsed.origin] + values { bytes += word.bytes + [0] }
        }
        // Where nothing was asked for it is the host view.
        return bytes.isEmpty ? "--preset\0host\0" : ByteString(bytes: bytes)
    }

    static func words(in note: ByteString) -> [ByteString] { ArgumentFile.parts(note.bytes, 0) }

    /// Nothing is said of what the group is.
    static func areOwn(_ options: [ParsedOption]) -> Bool {
        options.allSatisfy { parsed in
            switch part(parsed) {
            case .own, .both: true
            case .world, .descriptor: false
            }
        }
    }

    private static func absolute(_ path: ByteString) -> ByteString {
        guard !path.isAbsolute, !path.isEmpty, let here = HostProcess.currentDirectory else {
            return path
        }
        return here.appending(path: path)
    }

    /// The path in `A=PATH`.
    private static func withAbsolutePath(_ value: ByteString) -> ByteString {
        guard let sign = value.firstIndex(of: UInt8(ascii: "=")) else { return value }
        return value.slice(from: 0, to: sign + 1) + absolute(value.slice(from: sign + 1))
    }

    /// A name in the store may be another's by then.
    private static func located(_ word: ByteString) -> ByteString {
        do throws(LaunchError) {
            return absolute(try RootfsStore.locate(word))
        } catch {
            return word  // the launch fails by it
        }
    }

    static func part(_ parsed: ParsedOption) -> Part {
        switch parsed.id {
        case .general(let option): part(option)
        case .report: .own
        case .root(let option): part(option)
        case .mount(let option): part(option)
        case .namespace(let option): part(option, parsed.values)
        case .process(let option): part(option)
        }
    }

    private static func part(_ option: OptionID.General) -> Part {
        switch option {
        case .preset: .world(paths: [])
        case .help, .shortHelp, .version, .arguments, .engine, .require, .explain, .doctor,
            .verbose,
            .quiet, .list, .stop, .generate, .debug:
            .own
        }
    }

    private static func part(_ option: OptionID.Root) -> Part {
        switch option {
        case .overlayDirectory, .deviceDirectory, .allowSocket: .world(paths: [0])
        case .rootfs, .writable, .ephemeral, .home, .currentDirectory, .hostRoot, .architecture,
            .emulator, .device, .nvidia, .hide:
            .world(paths: [])
        case .entryPoint, .hostExec, .reuse, .reuseIdle: .own
        }
    }

    private static func part(_ option: OptionID.Mount) -> Part {
        switch option {
        case .bind, .bindTry, .devBind, .devBindTry, .roBind, .roBindTry, .overlaySource:
            .world(paths: [0])
        case .overlay: .world(paths: [0, 1])
        case .bindFD, .roBindFD, .file, .bindData, .roBindData: .descriptor
        case .overlayOptions, .tmpOverlay, .roOverlay, .remountReadOnly, .proc, .dev, .tmpfs,
            .mqueue, .directory, .symlink, .chmod, .perms, .size:
            .world(paths: [])
        case .lockFile: .own
        }
    }

    private static func part(_ option: OptionID.Namespace, _ values: [ByteString]) -> Part {
        switch option {
        case .join: .own
        case .seccompProfile: .world(paths: values[0] == "default" ? [] : [0])
        case .seccomp, .addSeccomp, .userns, .userns2, .pidns, .netns: .descriptor
        case .sharePID, .network, .allowHost, .unshareUser, .unshareUserTry, .unshareIPC,
            .unsharePID,
            .unshareNetwork, .unshareUTS, .unshareCgroup, .unshareCgroupTry, .unshareAll,
            .shareNetwork, .disableUserns, .assertUsernsDisabled, .hostname, .uid, .gid, .fakeRoot,
            .mapAuto, .mapUsers, .mapGroups, .capAdd, .capDrop, .scopeAbstract, .scopeAbstractTry,
            .execLabel, .fileLabel, .notASecurityBoundary, .procFallback:
            .world(paths: [])
        }
    }

    /// What takes variables away keeps secrets from a program, and who joins is not to bring them.
    private static func part(_ option: OptionID.Process) -> Part {
        switch option {
        case .unsetenv, .clearenv, .cleanEnvironment, .rlimit: .both
        case .setenv, .environmentFile, .chdir, .argument0, .newSession, .dieWithParent, .linger,
            .forwardSignals, .asPidOne, .timeout, .killAfter, .detach, .log:
            .own
        }
    }
}

extension LaunchTool {
    /// `--join NAME` alone takes the options of the group of that name; others that stand beside it are one command's.
    /// Returns whether that is so.
    func takeOptionsOfGroup(_ line: inout ParsedCommandLine) throws(UsageError) -> Bool {
        guard !personality.isBubblewrap, GroupWords.areOwn(line.options),
            let name = line.options.last(where: { $0.id == .namespace(.join) })?.values[0],
            name != "auto"
        else { return false }
        guard let group = try Self.group(named: name) else {
            if line.options.contains(where: { $0.id == .process(.detach) }) { return false }
            throw UsageError(
                "cannot join the group \(name.text): there is none of that name",
                remedy:
                    "nsrun --list says which there are; with --rootfs R, or --preset host, it is set up"
            )
        }
        if group.note.isEmpty {
            throw UsageError(
                "cannot join the group \(name.text) by its name alone: its options are not known",
                remedy: "give those that it was set up with")
        }
        let words = try Parser.parse(GroupWords.words(in: group.note), as: personality)
        line.options = words.options + line.options
        return true
    }

    /// What is left for others with what is set up, and which group is meant.
    func nameGroup(of invocation: inout Invocation, isPacked: Bool) {
        if invocation.joinsByName,
            case .named(let name) = invocation.request.namespaces.join
        {
            invocation.request.namespaces.join = .existing(name)
        }
        // The words of a pack and of bubblewrap mean something else to nsrun.
        if personality.isBubblewrap || isPacked { return }
        let namespaces = invocation.request.namespaces
        let isKept =
            namespaces.join != nil || namespaces.sharesLayer || invocation.isDetached
            || invocation.request.reuse != nil
        if isKept { invocation.request.note = GroupWords.note(for: invocation.options) }
    }

    private static func group(named name: ByteString) throws(UsageError) -> KeptWorld? {
        do throws(LaunchError) {
            return try KeptWorld.group(named: name)
        } catch {
            throw UsageError(error.message, remedy: error.remedy)
        }
    }
}
