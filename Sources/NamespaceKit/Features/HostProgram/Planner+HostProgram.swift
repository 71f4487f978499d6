// SPDX-License-Identifier: Apache-2.0

/// A host program inside the root (`--host-exec`).
///
/// The host's loader is started by hand, with the host's libraries, so that the root's older ones do not
/// matter; children, which are not started so, use the root's. So that /proc/self/exe still says where the
/// program is, the loader is bound over the program's path below /run/host, and loads the program from a
/// second view of the host at /run/nsrun/host.
extension Planner {
    private static let host: ByteString = "/run/host"
    private static let uncovered: ByteString = "/run/nsrun/host"
    private static let libraries: ByteString = "/run/nsrun/lib"

    mutating func planHostProgram() throws(LaunchError) {
        guard request.program.runsHostProgram else { return }
        guard case .rootfs = request.root.view else { throw .hostProgramWithoutRootfs }
        if case .refused(let error) = facts.hostProgram { throw error }
        guard case .found(let program) = facts.hostProgram, let loader = program.loader else {
            return
        }
        let origin = word(words.hostProgram)
        mount("/", Planner.uncovered, .readOnly, origin)
        add(.directory(target: Planner.libraries, mode: 0o755), origin)
        // By name: on the host a library may be found through a link that leads back into the root.
        for library in program.libraries {
            if library.name.contains(UInt8(ascii: "/")) {
                mount(library.path, library.name, .readOnly, origin)
                continue
            }
            let link = Planner.libraries.appending(path: library.name)
            add(.symlink(text: Planner.host + library.path, target: link), origin)
        }
        mount(loader, Planner.host + program.path, .readOnly, origin)
    }

    mutating func planExecution(of program: HostProgram) {
        // Programs look for their files around the place that argv[0] names.
        let name = request.program.argument0 ?? Planner.host + program.foundAs
        let place = Planner.host + program.path
        plan.arguments = [name]
        if program.loader != nil {
            if program.loaderTakesName { plan.arguments += ["--argv0", name] }
            if program.loaderAvoidsCache { plan.arguments.append("--inhibit-cache") }
            plan.arguments += ["--library-path", searchPath(of: program)]
            plan.arguments.append(Planner.uncovered + program.path)
        }
        plan.arguments += program.leading + request.program.command.dropFirst()
        add(.execute([place]), word(words.hostProgram))
    }

    /// The libraries by name, then the directories that they are in: for what is loaded later.
    private func searchPath(of program: HostProgram) -> ByteString {
        var directories: [ByteString] = []
        for path in program.libraries.map({ $0.path }) + [program.loader ?? "/"] {
            if let parent = path.parent, !directories.contains(parent) {
                directories.append(parent)
            }
        }
        var path = Planner.libraries
        for directory in directories { path = path + ":" + Planner.host + directory }
        return path
    }
}
