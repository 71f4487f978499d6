// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

@testable import NamespaceKit

/// The command as the kernel would find it, were the view its root: the same findings in the same words.
@Suite struct GuestProgramTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        try folder.write(ELFImage().bytes, to: "root/usr/bin/tool")
        try folder.write(ELFImage(interpreter: nil).bytes, to: "root/usr/bin/static")
        try folder.write(ELFImage(machine: 183).bytes, to: "root/usr/bin/arm")
        try folder.write(Array("#!/usr/bin/tool\n".utf8), to: "root/usr/bin/script")
        try folder.write(Array("#! /usr/bin/script -a b \n".utf8), to: "root/usr/bin/outer")
        try folder.write(Array("#!/usr/bin/loop\n".utf8), to: "root/usr/bin/loop")
        try folder.write(Array("#!/no/such\n".utf8), to: "root/usr/bin/orphan")
        try folder.write(Array("text\n".utf8), to: "root/usr/bin/text")
        try folder.write([], to: "root/usr/bin/empty")
        try folder.write([1, 0, 10], to: "root/usr/bin/data")
        try folder.write(ELFImage().bytes, to: "root/usr/bin/private", mode: 0o644)
        try folder.link("root/bin", to: "usr/bin")
        try folder.link("root/usr/bin/link", to: "/bin/tool")
        try folder.link("root/usr/bin/out", to: "/bin/sh")
    }

    private var root: ByteString { folder["root"] }

    private func find(
        _ candidates: [ByteString], in directory: ByteString = "/"
    ) throws(LaunchError) -> GuestProgram {
        var view = EngineView(LaunchPlan.empty)
        view.root = root
        let request = LaunchRequest.rootfs(command: candidates)
        let plan = try plan(request)
        let finder = GuestProgramFinder(
            view: try ResolvedView(view), directory: directory,
            diagnosis: Diagnosis(plan: plan, facts: .alice))
        return try finder.find(candidates)
    }

    private func failure(_ candidates: ByteString...) throws -> LaunchError {
        var seen: LaunchError?
        do throws(LaunchError) { _ = try find(candidates) } catch { seen = error }
        return try #require(seen)
    }

    /// What the executor would have reported.
    private func kernels(
        _ candidates: ByteString..., code: Int32, at path: String? = nil, head: [UInt8] = [],
        call: nsrun_call = NSRUN_CALL_RUN
    ) throws -> LaunchError {
        try diagnose(
            .execute(candidates), code, path == nil ? 0 : call.rawValue,
            text: path.map { Array($0.utf8) + [0] + head } ?? [])
    }

    @Test func aProgramIsFoundByItsPath() throws {
        let found = try find(["/none/tool", "/bin/tool"])
        #expect(found.foundAs == "/bin/tool" && found.path == "/bin/tool")
        #expect(found.hostPath == root + "/usr/bin/tool")
        #expect(found.leading == [] && found.machineName == "x86_64")
        #expect(found.interpreter == "/lib64/ld-linux-x86-64.so.2")
        #expect(try find(["bin/tool"], in: "/usr").path == "/usr/bin/tool")
        #expect(try find(["/usr/bin/static"]).interpreter == nil)
        #expect(try find(["/usr/bin/arm"]).machineName == "aarch64")
    }

    @Test func linksLeadInside() throws {
        #expect(try find(["/usr/bin/link"]).hostPath == root + "/usr/bin/tool")
        // The host has one, the rootfs has not.
        #expect(try failure("/usr/bin/out").exitStatus == 127)
    }

    /// As execve(2) has it: the inner script gets the outer one's words.
    @Test func scriptsLeadToTheirInterpreters() throws {
        let script = try find(["/bin/script"])
        #expect(script.path == "/usr/bin/tool" && script.foundAs == "/bin/script")
        #expect(script.leading == ["/bin/script"])
        let outer = try find(["/bin/outer"])
        #expect(outer.path == "/usr/bin/tool")
        #expect(outer.leading == ["/usr/bin/script", "-a b", "/bin/outer"])
    }

    @Test(arguments: ["text", "empty"]) func textIsTheShells(name: String) throws {
        try folder.write(ELFImage().bytes, to: "root/usr/bin/sh")
        let path = ByteString("/bin/\(name)")
        let found = try find([path])
        #expect(found.isShellScript && found.foundAs == path)
        #expect(found.path == "/bin/sh" && found.leading == [path])
        #expect(try !find(["/bin/script"]).isShellScript)
    }

    @Test func findingsAreTheKernels() throws {
        #expect(try failure("/a/x", "/b/x") == kernels("/a/x", "/b/x", code: ENOENT))
        #expect(try failure("./x") == kernels("./x", code: ENOENT))
        #expect(
            try failure("/none", "/bin/private")
                == kernels("/none", "/bin/private", code: EACCES, at: "/bin/private"))
        #expect(try failure("/usr") == kernels("/usr", code: EACCES, at: "/usr"))
        #expect(
            try failure("/bin/data")
                == kernels("/bin/data", code: ENOEXEC, at: "/bin/data", head: [1, 0, 10]))
        // Without a shell, that is.
        #expect(
            try failure("/bin/text")
                == kernels(
                    "/bin/text", code: ENOEXEC, at: "/bin/text", head: Array("text\n".utf8)))
        #expect(
            try failure("/bin/empty") == kernels("/bin/empty", code: ENOEXEC, at: "/bin/empty"))
        #expect(try failure("/bin/loop").exitStatus == 126)
        let orphan = try failure("/bin/orphan")
        #expect(
            orphan
                == (try kernels(
                    "/bin/orphan", code: ENOENT, at: "/bin/orphan",
                    head: Array("#!/no/such\n".utf8), call: NSRUN_CALL_INTERPRETER)))
        #expect(orphan.message.contains("/no/such"))
    }

    // MARK: Libraries

    @Test func libraryDirectoriesAreTheRootsOwn() throws {
        let triplet = "x86_64-linux-gnu"
        for name in ["usr/lib/\(triplet)", "opt/a", "opt/b", "usr/local/lib", "opt/d"] {
            try folder.makeDirectory("root/\(name)")
        }
        try folder.link("root/lib", to: "usr/lib")
        try folder.link("root/opt/out", to: "/etc")
        let main = """
            # comment
            include /etc/ld.so.conf.d/*.conf
            /opt/a
            /opt/none
            relative
            /opt/out
            """
        try folder.write(Array(main.utf8), to: "root/etc/ld.so.conf")
        try folder.write(
            Array("/opt/b\ninclude /etc/ld.so.conf.d/*.conf\n".utf8),
            to: "root/etc/ld.so.conf.d/b.conf")
        try folder.write(Array("/usr/local/lib".utf8), to: "root/etc/ld.so.conf.d/a.conf")
        try folder.write(Array("/opt/d\n".utf8), to: "root/etc/ld.so.conf.d/ignored")
        var view = EngineView(LaunchPlan.empty)
        view.root = root
        let loader = root + ByteString("/usr/lib/\(triplet)/ld-linux-x86-64.so.2")
        let found = LibraryPath(try ResolvedView(view), loader: loader).directories
        #expect(
            found.map { $0.below(root)?.text } == [
                "/usr/lib/\(triplet)", "/usr/local/lib", "/opt/b", "/opt/a", "/etc", "/usr/lib",
            ])
    }

    /// Files that include each other are not read as often as they are named: that would take minutes.
    @Test func libraryDirectoriesHaveAnEnd() throws {
        let include = String(repeating: "include /etc/ld.so.conf.d/*.conf\n", count: 300)
        try folder.makeDirectory("root/opt/a")
        try folder.write(Array(("/opt/a\n" + include).utf8), to: "root/etc/ld.so.conf")
        try folder.write(Array(include.utf8), to: "root/etc/ld.so.conf.d/a.conf")
        var view = EngineView(LaunchPlan.empty)
        view.root = root
        let resolved = try ResolvedView(view)
        let time = ContinuousClock().measure {
            let found = LibraryPath(resolved, loader: root + "/lib/ld.so").directories
            #expect(found.contains(root + "/opt/a"))
        }
        #expect(time < .seconds(60))
    }
}
