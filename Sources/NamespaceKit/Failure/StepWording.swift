// SPDX-License-Identifier: Apache-2.0

/// A step in the words of its user, for messages and for the printed plan.
extension Step {
    /// What it does, as an infinitive: `bind-mount /a onto /b`.
    var description: String {
        switch action {
        case .unshare(let set): "enter new \(set.list) namespaces"
        case .enterNamespace(let descriptor, let set):
            "enter the \(set.list) namespace of descriptor \(descriptor)"
        case .join(let name, _, _):
            "join the group \(name.text): enter its namespaces and leave out what makes them; "
                + "or else, as its first process:"
        case .share(_, _): "let others join the group"
        case .write(let text, let file): "write \"\(text.trimmed)\" to \(file.text)"
        case .await(let descriptor): "wait for descriptor \(descriptor)"
        case .assertNoUserNamespaces: "see that no further user namespace can be made"
        case .scope(let paths):
            "reach no \(paths ? "" : "abstract ")sockets and signal no processes of others (Landlock)"
        case .scopeAbstract: "reach no abstract sockets of others (Landlock)"
        case .limitNamespaces(let most): "allow \(most) namespaces of each kind below"
        case .nest(let set, let users, let groups):
            "enter new \(set.list) namespaces below, with users \(maps(users)) and groups \(maps(groups))"
        case .tellNamespaces: "wait until the launcher has told of the namespaces"
        case .requestIDMaps(let users, let groups):
            "have newuidmap map users \(maps(users)) and newgidmap groups \(maps(groups))"
        case .dieWithParent: "die with the parent"
        case .isolateMounts: "keep mounts from reaching the host"
        case .hostname(let name): "set the host name to \(name.text)"
        case .raiseLoopback: "bring the loopback interface up"
        case .forbidAddresses(let addresses):
            "make the host's own addresses unreachable: \(list(addresses, separator: ", "))"
        case .connectNetwork(let pasta):
            "have \(pasta.program.text) connect the network to the host's"
        case .setIDs(let user, let group): "become user \(user), group \(group)"
        case .hostRoot: "start from the host's root"
        case .emptyRoot: "start from an empty root"
        case .hostDirectory(let path): "make the directory \(path.text) on the host"
        case .image(let image): image.description
        case .bind(let bind): bind.description
        case .tmpfs(let target, let mode, let size, _):
            "mount a tmpfs on \(target.text) (\(octal(mode))\(size.map { ", \($0) bytes" } ?? ""))"
        case .fileSystem(let kind, let target): "mount a fresh \(kind.name) on \(target.text)"
        case .holdGroups: "take hold of the caller's own control groups"
        case .showGroups(let groups, _):
            "show the caller's own control groups on \(list(groups.map { $0.mount }, separator: ", "))"
        case .system: "mount a sysfs of its own network on \(SystemFiles.place.text)"
        case .binfmt(let records, let target):
            "mount a binfmt_misc of its own on \(target.text) and register \(list(records))"
        case .overlay(let overlay): overlay.description
        case .file(let content, let target, let mode):
            "make the file \(target.text) from \(content.description) (\(octal(mode)))"
        case .bindData(let content, let target, let mode, let readOnly):
            "bind \(content.description) onto \(target.text) (\(octal(mode))\(readOnly ? ", read-only" : ""))"
        case .adopt(let files):
            "make again what is of a group that is not mapped: \(list(files, separator: ", "))"
        case .ownCopy(_, let target, _): "show \(target.text) as a file of yours"
        case .complete(let directory, let files):
            "see that \(directory.text) has \(list(files, separator: ", "))"
        case .prepend(let text, let target):
            "show \(target.text) with the line \"\(text.trimmed)\" before its own"
        case .linkerCache(let libraries, let target):
            "show \(target.text) with \(libraries.count) "
                + (libraries.count == 1 ? "library more" : "libraries more")
        case .needGlibc(let need, _):
            "see that the C library is glibc \(need.version.text) or newer, for \(need.library.text)"
        case .symlink(let text, let target): "make the symlink \(target.text) -> \(text.text)"
        case .bindLink(let text, let target): "show \(target.text) as a symlink to \(text.text)"
        case .directory(let target, let mode):
            "make the directory \(target.text) (\(octal(mode)))"
        case .changeMode(let target, let mode):
            "change the mode of \(target.text) to \(octal(mode))"
        case .remountReadOnly(let target): "make the mount \(target.text) read-only"
        case .lockFile(let target): "lock the file \(target.text)"
        case .readAhead(let files, _): "read ahead \(list(files))"
        case .enterRoot: "enter the new root"
        case .redirect(let descriptor, let target):
            "make descriptor \(descriptor) descriptor \(target)"
        case .newSession: "start a new session"
        case .newKeyring: "join a new session keyring"
        case .changeDirectory(let candidates): "change directory to \(list(candidates))"
        case .limit(let limit): limit.description
        case .personality32: "let uname(2) name the 32-bit architecture"
        case .noNewPrivileges: "allow no new privileges"
        case .capabilities(let sets): sets.description
        case .filter: "install a seccomp filter"
        case .processGroup: "start a new process group"
        case .shareChannel(let number): "make the channel to nsrun descriptor \(number)"
        case .stub: "make the program in memory that starts the command"
        case .execute(let candidates): "run \(list(candidates))"
        }
    }

    /// The same without its details.
    var plainDescription: String {
        switch action {
        case .bind(let bind): "bind-mount \(bind.sourceText) onto \(bind.target.text)"
        case .tmpfs(let target, _, _, _): "mount a tmpfs on \(target.text)"
        case .file(_, let target, _): "make the file \(target.text)"
        case .bindData(_, let target, _, _): "bind a file in memory onto \(target.text)"
        case .prepend(_, let target): "show your entry in \(target.text)"
        case .directory(let target, _): "make the directory \(target.text)"
        case .linkerCache(_, let target): "show the host's libraries in \(target.text)"
        case .join(let name, _, _): "join the group \(name.text)"
        case .limit(let limit): "set the limit \(limit.name)"
        case .binfmt(let records, _): "register the emulator \(list(records))"
        case .holdGroups, .showGroups, .system, .ownCopy, .adopt, .unshare, .enterNamespace, .share,
            .write, .await, .requestIDMaps,
            .assertNoUserNamespaces, .scope, .scopeAbstract, .limitNamespaces, .nest,
            .tellNamespaces, .dieWithParent, .isolateMounts, .hostname, .raiseLoopback,
            .forbidAddresses, .connectNetwork, .setIDs, .hostRoot, .emptyRoot, .hostDirectory,
            .image, .fileSystem, .overlay, .complete, .needGlibc, .symlink, .bindLink, .changeMode,
            .remountReadOnly, .lockFile, .readAhead, .enterRoot, .redirect, .newSession,
            .processGroup, .newKeyring, .changeDirectory, .personality32, .noNewPrivileges,
            .capabilities, .filter, .shareChannel, .stub, .execute:
            description
        }
    }

    private func maps(_ ranges: [IDRange]) -> String {
        var text = ""
        for range in ranges {
            if !text.isEmpty { text += ", " }
            text += "\(range.inside):\(range.outside):\(range.count)"
        }
        return text
    }

    private func list(_ records: [BinfmtRecord]) -> String {
        var text = ""
        for record in records {
            if !text.isEmpty { text += ", " }
            text += "\(record.name.text) (\(record.interpreter.text), \(record.flags.text))"
        }
        return text
    }

    private func list(_ candidates: [ByteString], separator: String = ", else ") -> String {
        var text = ""
        for candidate in candidates {
            if !text.isEmpty { text += separator }
            text += candidate.text
        }
        return text
    }

    private func octal(_ mode: UInt32) -> String { "mode 0" + String(mode, radix: 8) }
}

extension Step.Bind {
    var sourceText: String {
        switch source {
        case .path(let path): path.text
        case .descriptor(let number): "descriptor \(number)"
        }
    }

    var description: String {
        var notes: [String] = []
        if options.contains(.readOnly) { notes.append("read-only") }
        if options.contains(.noExecute) { notes.append("no programs") }
        if options.contains(.devices) { notes.append("devices") }
        if options.contains(.optional) { notes.append("if it exists") }
        if options.contains(.implied), !options.contains(.optional) { notes.append("if it can be") }
        if options.contains(.onlyIfPresent) { notes.append("if the target exists") }
        let note = notes.isEmpty ? "" : " (" + notes.joined(separator: ", ") + ")"
        return "bind-mount \(sourceText) onto \(target.text)\(note)"
    }
}

extension Step.Image {
    var description: String {
        switch mounting {
        case .kernel: "mount the squashfs \(path.text) on / by a loop device"
        case .server(let program):
            "mount the squashfs \(path.text) on / through FUSE, served by \(program.text)"
        }
    }
}

extension Step.Overlay {
    var description: String {
        var layers = ""
        for path in lower {
            if !layers.isEmpty { layers += ", " }
            layers += path.text
        }
        return switch upper {
        case .none: "mount a read-only overlay of \(layers) on \(target.text)"
        case .memory: "mount an overlay of \(layers) on \(target.text), changes in memory"
        case .directories(let upper, _):
            "mount an overlay of \(layers) on \(target.text), changes in \(upper.text)"
        }
    }
}

extension Step.CapabilitySets {
    var description: String {
        if held == 0 { return "drop all capabilities" }
        return "keep the capabilities 0x\(String(held, radix: 16)), drop all others"
    }
}

extension ResourceLimit {
    var name: String {
        for (name, number) in ResourceLimit.resources where number == resource { return name.text }
        return "\(resource)"
    }

    var description: String {
        func value(_ number: UInt64) -> String {
            number == ResourceLimit.unlimited ? "unlimited" : "\(number)"
        }
        let note = onlyLowers ? ", unless it is lower" : ""
        return "limit \(name) to \(value(soft)), at most \(value(hard))\(note)"
    }
}

extension FileSystemOperation.Content {
    var description: String {
        switch self {
        case .descriptor(let number): "descriptor \(number)"
        case .bytes(let bytes): "\(bytes.count) bytes"
        }
    }
}

extension ByteString {
    /// Without the newline at its end.
    var trimmed: String {
        bytes.last == UInt8(ascii: "\n") ? slice(from: 0, to: count - 1).text : text
    }
}
