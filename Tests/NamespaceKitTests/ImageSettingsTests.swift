// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// What an image says about how it is run, and when that counts.
@Suite struct ImageSettingsTests {
    private func parse(_ text: String) -> ImageSettings {
        ImageSettings(parsing: Array(text.utf8))
    }

    @Test func aLineIsAFact() {
        let settings = parse("env A=1\nenv B=x y\nworkdir /srv\nentrypoint /init\ncmd -c\ncmd \n")
        #expect(settings.environment == ["A=1", "B=x y"])
        #expect(settings.workingDirectory == "/srv")
        #expect(settings.command == ["/init", "-c", ""])
    }

    @Test func theEntryPointComesFirstWhereverItStands() {
        #expect(parse("cmd b\nentrypoint a\ncmd c").command == ["a", "b", "c"])
    }

    @Test func backslashesAndNewlinesAreEscaped() {
        #expect(parse(#"cmd a\nb\\n\\"#).command == ["a\nb\\n\\"])
    }

    @Test(arguments: ["", "\n", "cmd", "suite bookworm", " cmd x", "CMD x"])
    func nonsenseIsPassedOver(text: String) {
        #expect(parse(text) == parse(""))
        #expect(parse(text).command == [])
    }

    // MARK: Applying

    /// A request for a rootfs that is an image, after its settings were applied.
    private func applied(
        _ text: String, slash: Bool = false, _ change: (inout LaunchRequest) -> Void = { _ in }
    ) throws -> LaunchRequest {
        let folder = try Folder()
        try record(text, in: folder, "box")
        var request = LaunchRequest()
        request.root.view = .rootfs(folder["box"] + (slash ? "//" : ""))
        change(&request)
        #expect(request.applyImageSettings() == nil)
        return request
    }

    /// Writes the settings of a root, as nsrun-rootfs does.
    private func record(_ text: String, in folder: Folder, _ root: String) throws {
        try folder.makeDirectory("\(root)/.nsrun")
        chmod("\(folder.path)/\(root)/.nsrun", 0o755)
        try folder.write(Array(text.utf8), to: "\(root)/.nsrun/image", mode: 0o644)
    }

    private let image = "env A=image\nenv B=image\nenv odd\nworkdir /srv\ncmd serve\ncmd -v\n"

    @Test(arguments: [false, true]) func withoutCommandTheImagesOwn(slash: Bool) throws {
        let request = try applied(image, slash: slash)
        #expect(request.program.command == ["serve", "-v"])
        #expect(request.program.workingDirectory == "/srv")
        #expect(
            request.program.environment.changes == [
                .set(name: "A", value: "image"), .set(name: "B", value: "image"),
            ])
    }

    @Test func whatTheUserSaysWins() throws {
        let request = try applied(image) {
            $0.program.workingDirectory = "/mine"
            $0.program.environment.changes = [.set(name: "A", value: "mine"), .unset(name: "B")]
        }
        #expect(request.program.workingDirectory == "/mine")
        #expect(try plan(request).environment.filter { $0.hasPrefix("A=") } == ["A=mine"])
        #expect(!(try plan(request).environment.contains { $0.hasPrefix("B=") }))
    }

    /// Its own command stays, in the surroundings that the image was made for; its user is who started it.
    @Test func aCommandGetsEnvironmentAndDirectory() throws {
        let request = try applied(image + "user 5\n") { $0.program.command = ["sh"] }
        #expect(request.program.command == ["sh"])
        #expect(request.program.workingDirectory == "/srv")
        #expect(
            request.program.environment.changes == [
                .set(name: "A", value: "image"), .set(name: "B", value: "image"),
            ])
        #expect(request.identity == Identity())
    }

    @Test func aProgramOfTheHostsIsLeftAsItIs() throws {
        let request = try applied(image) {
            $0.program.command = ["sh"]
            $0.program.runsHostProgram = true
        }
        #expect(
            request.program.workingDirectory == nil
                && request.program.environment == EnvironmentRequest())
    }

    /// Where somebody asks for another start, that holds.
    @Test func aCommandIsWhereItWasAskedToBe() throws {
        let empty = try applied(image) {
            $0.program.command = ["sh"]
            $0.program.environment.start = .empty
        }
        #expect(empty.program.environment.changes == [])
        for here in [
            \LaunchRequest.files.bindsCurrentDirectory, \LaunchRequest.files.bindsSourceTree,
        ] {
            let request = try applied(image) {
                $0.program.command = ["sh"]
                $0[keyPath: here] = true
            }
            #expect(request.program.workingDirectory == nil)
        }
    }

    // MARK: Its entry point

    private func entering(
        _ text: String, _ command: [ByteString]
    ) throws -> Result<[ByteString], LaunchError> {
        let folder = try Folder()
        try record(text, in: folder, "box")
        var request = LaunchRequest(command: command)
        request.root.view = .rootfs(folder["box"])
        do throws(LaunchError) {
            _ = try request.useImageSettings(isForEntryPoint: true)
            return .success(request.program.command)
        } catch {
            return .failure(error)
        }
    }

    @Test func wordsAreArgumentsOfTheEntryPoint() throws {
        let image = "entrypoint /init\nentrypoint -s\ncmd serve\n"
        #expect(try entering(image, ["a", "b"]).get() == ["/init", "-s", "a", "b"])
        #expect(try entering(image, []).get() == ["/init", "-s", "serve"])
    }

    @Test(arguments: ["", "cmd serve\n"]) func withoutAnEntryPointThatIsSaid(image: String) throws {
        guard case .failure(let error) = try entering(image, ["a"]) else {
            Issue.record("it ran")
            return
        }
        #expect(error.message.contains("cannot run the entry point of "), "\(error)")
        #expect(error.message.hasSuffix(": none is known of it"), "\(error)")
        #expect(error.remedy?.contains("nsrun-rootfs show") == true)
    }

    // MARK: Its user and directory

    /// The ids that a USER leads to, or what is wrong with it.
    private func user(_ user: String) throws -> Result<Identity, LaunchError> {
        let folder = try Folder()
        try record("cmd serve\nuser \(user)\n", in: folder, "box")
        let passwd = "root:x:0:0::/:\nworker:x:1000:77::/:\n12:x:34:56::/:\nodd:x:many:1::/:\n"
        try folder.write(Array(passwd.utf8), to: "box/etc/passwd")
        try folder.write(Array("staff:x:50:\n".utf8), to: "box/etc/group")
        var request = LaunchRequest()
        request.root.view = .rootfs(folder["box"])
        do throws(LaunchError) {
            _ = try request.useImageSettings()
            return .success(request.identity)
        } catch {
            return .failure(error)
        }
    }

    @Test(
        arguments: [
            ("worker", 1000, 77), ("1000", 1000, 77), ("1000:5", 1000, 5),
            ("worker:staff", 1000, 50),
            ("4321", 4321, nil), ("4321:staff", 4321, 50), ("12", 34, 56), ("root", 0, 0),
            ("worker:", 1000, 77),
        ] as [(String, UInt32, UInt32?)])
    func aUserIsOneOfTheRoots(_ text: String, _ id: UInt32, _ group: UInt32?) throws {
        let identity = try user(text).get()
        #expect(identity.user == id && identity.group == group, "\(identity)")
        #expect(identity.isOfImage)
    }

    @Test(arguments: [
        ("nobody", "/etc/passwd of the rootfs has no user nobody"),
        ("odd", "/etc/passwd of the rootfs has no user odd"),
        ("4294967295", "/etc/passwd of the rootfs has no user 4294967295"),
        ("worker:none", "/etc/group of the rootfs has no group none"),
    ])
    func anUnknownUserIsSaid(_ text: String, _ cause: String) throws {
        guard case .failure(let error) = try user(text) else {
            Issue.record("it ran")
            return
        }
        #expect(error.message == "cannot run as \(text), the image's USER: \(cause)")
        #expect(error.remedy != nil)
    }

    @Test func aRelativeDirectoryIsSaid() throws {
        let folder = try Folder()
        try record("workdir srv/app\ncmd serve\n", in: folder, "box")
        for command in [[], ["sh"]] as [[ByteString]] {
            var request = LaunchRequest(command: command)
            request.root.view = .rootfs(folder["box"])
            #expect(
                request.applyImageSettings()
                    == "cannot start in srv/app, the image's WORKDIR: it is not an absolute path")
        }
    }

    @Test func anImageWithoutCommandSaysNothing() throws {
        #expect(try applied("env A=1\nworkdir /srv\n").program.environment == EnvironmentRequest())
    }

    @Test func whatIsNoImageStays() {
        for view in [.host, .empty, .rootfs("/no/such/rootfs")] as [LaunchRequest.View] {
            let before = LaunchRequest().with { $0.root.view = view }
            var after = before
            #expect(after.applyImageSettings() == nil)
            #expect(after == before)
        }
    }

    // MARK: Whose they are

    /// The command of a root's settings, and what is said of settings that are ignored.
    private func found(_ root: ByteString) -> (command: [ByteString], warning: String?) {
        var request = LaunchRequest()
        request.root.view = .rootfs(root)
        let warning = request.applyImageSettings()
        return (request.program.command, warning)
    }

    /// By whatever name, and wherever the root was moved to.
    @Test func theyGoWithTheRoot() throws {
        let folder = try Folder()
        try record("cmd serve", in: folder, "root")
        try folder.link("link", to: "root")
        for name in ["root", "link", "./root/.", "root/../link/", "root//"] {
            #expect(found(folder[name]).command == ["serve"], "\(name)")
        }
        rename("\(folder.path)/root", "\(folder.path)/other")
        #expect(found(folder["other"]).command == ["serve"])
        try folder.makeDirectory("root")
        #expect(found(folder["root"]).command == [])
    }

    /// What lies beside a root may be anybody's, or an earlier root's.
    @Test func nothingBesideARootCounts() throws {
        let folder = try Folder()
        try folder.makeDirectory("root")
        try folder.write(Array("cmd evil".utf8), to: "root.image", mode: 0o644)
        let seen = found(folder["root"])
        #expect(seen.command == [] && seen.warning == nil)
    }

    /// Each way in which somebody else may have had a hand in it, with the word that tells.
    static let suspicious: [(word: String, script: String)] = [
        ("others can write to it", "chmod 664 .nsrun/image"),
        ("others can write to it", "chmod 646 .nsrun/image"),
        ("others can write to it", "chmod 775 .nsrun"),
        ("others can write to it", "chmod 1777 .nsrun"),
        ("it is not a file of nsrun-rootfs", "mv .nsrun/image x; ln -s ../x .nsrun/image"),
        ("it is not a file of nsrun-rootfs", "mv .nsrun x; ln -s x .nsrun"),
        ("it is not a file of nsrun-rootfs", "rm .nsrun/image; mkfifo .nsrun/image"),
        ("it is not a file of nsrun-rootfs", "rm .nsrun/image; mkdir .nsrun/image"),
        ("it is not a file of nsrun-rootfs", "rm -r .nsrun; echo cmd evil >.nsrun"),
        ("longer than 1048576 bytes", "truncate -s 1048577 .nsrun/image"),
        ("permission denied", "chmod 0 .nsrun/image"),
    ]

    @Test(arguments: suspicious)
    func whatOthersMayHaveMadeIsIgnoredAndSaid(word: String, script: String) throws {
        let folder = try Folder()
        try record("cmd evil", in: folder, "root")
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", script]
        process.currentDirectoryURL = URL(filePath: "\(folder.path)/root")
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let seen = found(folder["root"])
        #expect(seen.command == [])
        let place = "the image's settings are ignored: \(folder["root"].text)/.nsrun/image: "
        #expect(seen.warning?.hasPrefix(place) == true, "\(seen.warning ?? "")")
        #expect(seen.warning?.contains(word) == true, "\(seen.warning ?? "")")
        chmod("\(folder.path)/root/.nsrun/image", 0o600)
    }
}
