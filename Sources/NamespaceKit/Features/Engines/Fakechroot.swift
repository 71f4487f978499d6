// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// The engine fakechroot: the root's own loader is started, with a library that translates the paths of
/// library calls. See fakechroot(1), ld.so(8).
struct Fakechroot {
    let planner: EnginePlanner
    let chroot: FakechrootRoot
    let mirror: RelinkedDirectories
    /// On the host: the loader, and the library to preload.
    let loader: ByteString
    let library: ByteString
    /// This program's own file, which stands in for the loader among the command's children.
    private let own: ByteString
    /// The directories of the root's libraries, on the host.
    let directories: [ByteString]
    /// The loader can be told the program's own name (`--argv0`, glibc 2.33).
    let takesName: Bool

    init(_ planner: EnginePlanner, tree: ScratchRoot) throws(LaunchError) {
        self.planner = planner
        let program = planner.program
        guard program.machineName == planner.facts.machine.text else {
            throw .fakechroot(
                "cannot run \(program.path.text): it is built for \(program.machineName)",
                "\(OptionNames.current.engine) proot runs it through QEMU")
        }
        guard let interpreter = program.interpreter else {
            throw .fakechroot(
                "cannot run \(program.path.text): it is linked statically, as programs in Go are, and "
                    + "makes its system calls without a library",
                "\(OptionNames.current.engine) proot runs it")
        }
        if program.isGo {
            throw .fakechroot(
                "cannot run \(program.path.text): it is built by Go, and makes its system calls without a "
                    + "library", "\(OptionNames.current.engine) proot runs it")
        }
        guard let own = HostFile.ownPath else {
            throw .fakechroot("cannot be used: /proc/self/exe cannot be read", "mount /proc")
        }
        self.own = own
        guard let loader = planner.view.hostPath(of: interpreter) else {
            throw .fakechroot(
                "cannot run \(program.path.text): its loader \(interpreter.text) is missing in the rootfs",
                "the rootfs must hold the C library that the program was built for")
        }
        self.loader = loader
        let libraries = LibraryPath(planner.view, loader: loader).directories
        library = try Fakechroot.findLibrary(planner, loader: loader)
        takesName = (HostFacts.readFile(loader, limit: 1 << 22) ?? []).holds("--argv0")
        mirror = RelinkedDirectories(planner.view, libraries: libraries, fallback: tree.path)
        directories = libraries.map { [mirror] in mirror.mirror(of: $0) }
        chroot = try FakechrootRoot(planner.view, mirror, in: tree)
        let special = Array(": ;$".utf8)
        for path in [library] + directories
        where path.bytes.contains(where: { special.contains($0) }) {
            throw .fakechroot(
                "cannot use \(path.text): the loader takes a colon, semicolon, space or dollar for "
                    + "something else", "rename it, or \(OptionNames.current.engine) proot")
        }
    }

    /// The root's own, which fits its C library; else a pack's; else the host's.
    private static func findLibrary(
        _ planner: EnginePlanner, loader: ByteString
    ) throws(LaunchError) -> ByteString {
        if let given = planner.facts.variable("NSRUN_FAKECHROOT"), !given.isEmpty {
            if let found = HostFile.canonicalPath(given) { return found }
            throw .fakechroot(
                "cannot be used: NSRUN_FAKECHROOT names \(given.text), which is no file",
                "unset it, or name a libfakechroot.so")
        }
        var candidates: [ByteString] = []
        let name: ByteString = "fakechroot/libfakechroot.so"
        let folder = loader.parent ?? "/"
        candidates.append(folder.appending(path: name))
        if let pack = EngineTools.folder {
            candidates.append(pack.appending(path: "libfakechroot.so"))
        }
        let triplet = folder.lastComponent
        candidates.append("/usr/lib/" + triplet + "/" + name)
        for candidate in candidates {
            if let found = HostFile.canonicalPath(candidate) { return found }
        }
        throw .fakechroot(
            "cannot be used: libfakechroot is neither in the rootfs nor on this host",
            "install Debian's package libfakechroot in the rootfs, or set NSRUN_FAKECHROOT to "
                + "libfakechroot.so")
    }

    /// What a child needs to stay inside. The loader and the C library read some of the command's own variables by
    /// themselves, without the calls that are translated, so what those name is the host's path of it.
    private func environment(for command: HostFacts) -> [ByteString] {
        let libraries = onHost(command.variable("LD_LIBRARY_PATH")) + directories
        let preloaded = [library] + onHost(command.variable("LD_PRELOAD"))
        var entries: [ByteString] = [
            "FAKECHROOT=true", "FAKECHROOT_BASE=" + chroot.tree.root,
            "FAKECHROOT_EXCLUDE_PATH=" + chroot.excluded.joined(by: ":"),
            "FAKECHROOT_ELFLOADER=" + chroot.tree.path.appending(path: ByteString(NSRUN_LOADER)),
            "FAKECHROOT_CMD_SUBST=" + substitutions.joined(by: ":"),
            "LD_LIBRARY_PATH=" + libraries.joined(by: ":"),
            "LD_PRELOAD=" + preloaded.joined(by: ":"),
        ]
        // Guile aborts in its first locale conversion where it finds the host's.
        var modules = onHost(command.variable("GCONV_PATH"))
        if let folder = loader.parent?.appending(path: "gconv"), HostFile.isDirectory(folder) {
            modules.append(folder)
        }
        if !modules.isEmpty { entries.append("GCONV_PATH=" + modules.joined(by: ":")) }
        var locales = onHost(command.variable("LOCPATH"))
        if let folder = planner.view.hostPath(of: "/usr/lib/locale") { locales.append(folder) }
        if !locales.isEmpty { entries.append("LOCPATH=" + locales.joined(by: ":")) }
        return entries
    }

    private var standInForEnv: ByteString {
        chroot.tree.path.appending(path: ByteString(NSRUN_ENV))
    }

    /// A program that empties its environment, where libfakechroot finds its way, leaves the root.
    private var substitutions: [ByteString] {
        Fakechroot.clearing.map { $0 + "=" + standInForEnv }
    }
    private static let clearing: [ByteString] = ["/usr/bin/env", "/bin/env"]

    /// Where the parts of a search path lie on the host, those that the root has.
    private func onHost(_ list: ByteString?) -> [ByteString] {
        (list?.split(on: UInt8(ascii: ":")) ?? []).compactMap { [planner] in
            $0.isAbsolute ? planner.view.hostPath(of: $0) : nil
        }
    }

    private func start(
        _ program: ByteString, as name: ByteString, _ environment: HostFacts
    ) -> [ByteString] {
        let libraries = onHost(environment.variable("LD_LIBRARY_PATH")) + directories
        return (takesName ? ["--argv0", name] : []) + [
            "--library-path", libraries.joined(by: ":"), "--preload", library, program,
        ]
    }

    var plan: LaunchPlan {
        let program = planner.program
        let name = program.leading.isEmpty ? planner.arguments[0] : program.path
        var command = HostFacts()
        command.environment = planner.original.environment
        var environment = environment(for: command)
        var first = loader
        var arguments = start(program.hostPath, as: name, command) + program.leading
        if Fakechroot.clearing.contains(program.foundAs) {
            first = standInForEnv
            arguments = []
            environment += ["FAKECHROOT_CMD_ORIG=" + program.foundAs]
        }
        return planner.plan(
            starting: first, arguments + planner.arguments.dropFirst(),
            in: chroot.tree.hostPath(of: planner.directory, in: planner.view),
            environment: environment, tree: chroot.tree, honours: .fakechroot)
    }

    /// Links by which this program stands in, beside the root.
    func makeLinks() throws(LaunchError) {
        let folder = chroot.tree.path
        var links: [(ByteString, ByteString)] = [
            (ByteString(NSRUN_LOADER), own), (ByteString(NSRUN_ENV), own), ("ld.so", loader),
        ]
        if takesName { links.append(("ld.so-argv0", loader)) }
        for (name, text) in links {
            let path = folder.appending(path: name)
            let error = withCString(path) { path in
                withCString(text) { nsrun_make_link($0, path) }
            }
            if error < 0 { throw chroot.tree.failure(path, error) }
        }
    }

    /// Tries whether a child of a child sees the root, and a script's arguments arrive: where it does not, programs
    /// would quietly read the host's files instead. The tree must be there. What has passed is tried `again` only
    /// where that is asked for.
    func check(again: Bool) throws(LaunchError) {
        let shell = planner.view.hostPath(of: "/bin/sh")
        guard let shell else {
            throw .fakechroot(
                "cannot be tried: the rootfs has no /bin/sh", "\(OptionNames.current.engine) proot")
        }
        let stamp = CheckStamp(.fakechroot, [library, loader, shell, planner.view.root])
        if !again, stamp.isKnown { return }
        let name = ByteString("/.nsrun-\(getpid())-\(nsrun_now())")
        let mark = chroot.tree.root + name
        let script: ByteString = "#!/bin/sh\ntest $# = 3 && echo inside $3\n"
        _ = withCString(mark) { path in
            withCString(script) { nsrun_make_file(path, $0, script.count, 0o700) }
        }
        defer { _ = withCString(mark) { unlink($0) } }
        let answer = HostTool.run(
            loader,
            start(shell, as: "sh", HostFacts())
                + ["-c", "exec /bin/sh -c 'exec " + name + " 1 2 3'"],
            errorsToo: true, environment: environment(for: HostFacts()))
        guard let answer, answer.succeeded, answer.output == Array("inside 3\n".utf8) else {
            let said = ByteString(bytes: answer?.output ?? []).split(on: UInt8(ascii: "\n"))[0].text
            throw .fakechroot(
                "does not work in this rootfs: a child does not see it"
                    + (said.isEmpty ? "" : " (\(said))"),
                "install the rootfs's own package libfakechroot in it; that of another release may "
                    + "not fit its C library")
        }
        stamp.note()
    }
}

/// Where a root's loader finds libraries, see ld.so.conf(5) in ldconfig(8). Its cache cannot be used, for the
/// loader would read the host's.
struct LibraryPath {
    private(set) var directories: [ByteString] = []
    private let view: ResolvedView
    /// More than any root has. Files that include each other would be read again and again.
    private var filesLeft = 256

    init(_ view: ResolvedView, loader: ByteString) {
        self.view = view
        let triplet = (loader.parent ?? "/").lastComponent
        if let folder = loader.parent { directories.append(folder) }
        read("/etc/ld.so.conf", depth: 0)
        for folder: ByteString in ["/lib", "/usr/lib"] {
            add(folder.appending(path: triplet))
            add(folder)
        }
    }

    private mutating func add(_ folder: ByteString) {
        guard let found = view.hostPath(of: folder), HostFile.isDirectory(found),
            !directories.contains(found)
        else { return }
        directories.append(found)
    }

    private mutating func read(_ path: ByteString, depth: Int) {
        guard depth < 4, filesLeft > 0, let file = view.hostPath(of: path) else { return }
        filesLeft -= 1
        let text = ByteString(bytes: HostFacts.readFile(file, limit: 1 << 16) ?? [])
        for line in text.split(on: UInt8(ascii: "\n")) {
            let words = line.split(on: UInt8(ascii: " ")).filter { !$0.isEmpty }
            guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
            if first == "include", words.count > 1, let folder = words[1].parent {
                // Debian's: include /etc/ld.so.conf.d/*.conf
                let names = view.hostPath(of: folder).map { HostFile.names(in: $0) } ?? []
                for name in names where name.bytes.suffix(5) == Array(".conf".utf8)[...] {
                    read(folder.appending(path: name), depth: depth + 1)
                }
            } else if first.isAbsolute {
                add(first)
            }
        }
    }
}

extension ScratchRoot {
    /// Where the kernel finds a directory of the view: in this tree, or behind its links.
    func hostPath(of directory: ByteString, in view: ResolvedView) -> ByteString {
        has(directory) ? hostPath(of: directory) : view.hostPath(of: directory) ?? root
    }
}

extension LaunchError {
    static func fakechroot(_ message: String, _ remedy: String) -> LaunchError {
        LaunchError(.setup, "the engine fakechroot " + message, remedy: remedy, code: ENOEXEC)
    }
}
