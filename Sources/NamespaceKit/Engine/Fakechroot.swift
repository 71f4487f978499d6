import CNamespace

/// The engine fakechroot: the root's own loader is started, with a library that translates the paths of
/// library calls. See fakechroot(1), ld.so(8).
struct Fakechroot {
    let planner: EnginePlanner
    let farm: Farm
    /// On the host: the loader, and the library to preload.
    let loader: ByteString
    let library: ByteString
    /// The directories of the root's libraries, on the host.
    let directories: [ByteString]
    /// The loader can be told the program's own name (`--argv0`, glibc 2.33).
    let takesName: Bool

    init(_ planner: EnginePlanner, tree: PrivateTree) throws(LaunchError) {
        self.planner = planner
        let program = planner.program
        guard program.machineName == planner.facts.machine.text else {
            throw .fakechroot(
                "cannot run \(program.path.text): it is built for \(program.machineName)",
                "\(Vocabulary.current.engine) proot runs it through QEMU")
        }
        guard let interpreter = program.interpreter else {
            throw .fakechroot(
                "cannot run \(program.path.text): it is linked statically, as programs in Go are, and "
                    + "makes its system calls without a library",
                "\(Vocabulary.current.engine) proot runs it")
        }
        guard let loader = planner.view.hostPath(of: interpreter) else {
            throw .fakechroot(
                "cannot run \(program.path.text): its loader \(interpreter.text) is missing in the rootfs",
                "the rootfs must hold the C library that the program was built for")
        }
        self.loader = loader
        directories = LibraryPath(planner.view, loader: loader).directories
        library = try Fakechroot.findLibrary(planner, loader: loader)
        takesName = (HostFacts.readFile(loader, limit: 1 << 22) ?? []).holds("--argv0")
        farm = try Farm(planner.view, in: tree)
    }

    /// The root's own, which fits its C library; else a pack's; else the host's.
    private static func findLibrary(
        _ planner: EnginePlanner, loader: ByteString
    ) throws(LaunchError) -> ByteString {
        var candidates: [ByteString] = []
        if let given = planner.facts.variable("NSRUN_FAKECHROOT") { candidates.append(given) }
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

    private var libraryPath: ByteString { directories.joined(by: ":") }

    /// What a child needs to stay inside.
    private var environment: [ByteString] {
        var entries: [ByteString] = [
            "FAKECHROOT=true", "FAKECHROOT_BASE=" + farm.tree.root,
            "FAKECHROOT_EXCLUDE_PATH=" + farm.excluded.joined(by: ":"),
            "FAKECHROOT_ELFLOADER=" + loader,
            "LD_LIBRARY_PATH=" + libraryPath, "LD_PRELOAD=" + library,
        ]
        if takesName { entries.append("FAKECHROOT_ELFLOADER_OPT_ARGV0=--argv0") }
        // The C library looks for these by itself, without the calls that are translated. Guile aborts in its
        // first locale conversion where it finds the host's.
        if let folder = loader.parent?.appending(path: "gconv"), HostFile.isDirectory(folder) {
            entries.append("GCONV_PATH=" + folder)
        }
        if let folder = planner.view.hostPath(of: "/usr/lib/locale") {
            entries.append("LOCPATH=" + folder)
        }
        return entries
    }

    private func start(_ program: ByteString, as name: ByteString) -> [ByteString] {
        (takesName ? ["--argv0", name] : [])
            + ["--library-path", libraryPath, "--preload", library, program]
    }

    var plan: LaunchPlan {
        let program = planner.program
        let name = program.leading.isEmpty ? planner.arguments[0] : program.path
        return planner.plan(
            starting: loader,
            start(program.hostPath, as: name) + program.leading + planner.arguments.dropFirst(),
            in: farm.tree.hostPath(of: planner.directory, in: planner.view),
            environment: environment, tree: farm.tree, honours: .fakechroot)
    }

    /// Tries whether a child of a child sees the root: where it does not, programs would quietly read the
    /// host's files instead. The tree must be there.
    func check() throws(LaunchError) {
        let shell = planner.view.hostPath(of: "/bin/sh")
        guard let shell else {
            throw .fakechroot(
                "cannot be tried: the rootfs has no /bin/sh", "\(Vocabulary.current.engine) proot")
        }
        let stamp = EngineTools.Stamp("fakechroot", [library, loader, shell, planner.view.root])
        if stamp.isKnown { return }
        let mark = farm.tree.root.appending(path: ".nsrun")
        _ = withCString(mark) { nsrun_make_file($0, "", 0, 0o600) }
        defer { _ = withCString(mark) { unlink($0) } }
        let answer = HostTool.run(
            loader,
            start(shell, as: "sh") + ["-c", "exec /bin/sh -c 'test -e /.nsrun && echo inside'"],
            errorsToo: true, environment: environment)
        guard let answer, answer.succeeded, answer.output == Array("inside\n".utf8) else {
            let said = ByteString(bytes: answer?.output ?? []).split(on: UInt8(ascii: "\n"))[0].text
            throw .fakechroot(
                "does not work in this rootfs: a child does not see it" + (said.isEmpty ? "" : " (\(said))"),
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
        guard depth < 4, let file = view.hostPath(of: path) else { return }
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

extension PrivateTree {
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
