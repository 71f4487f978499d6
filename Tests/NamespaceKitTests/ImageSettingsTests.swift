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
        request.view = .rootfs(folder["box"] + (slash ? "//" : ""))
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
        #expect(request.command == ["serve", "-v"])
        #expect(request.workingDirectory == "/srv")
        #expect(
            request.environment.changes == [
                .set(name: "A", value: "image"), .set(name: "B", value: "image"),
            ])
    }

    @Test func whatTheUserSaysWins() throws {
        let request = try applied(image) {
            $0.workingDirectory = "/mine"
            $0.environment.changes = [.set(name: "A", value: "mine"), .unset(name: "B")]
        }
        #expect(request.workingDirectory == "/mine")
        #expect(try plan(request).environment.filter { $0.hasPrefix("A=") } == ["A=mine"])
        #expect(!(try plan(request).environment.contains { $0.hasPrefix("B=") }))
    }

    @Test func aCommandIsLeftAsItIs() throws {
        let request = try applied(image) { $0.command = ["sh"] }
        #expect(request.command == ["sh"])
        #expect(request.workingDirectory == nil)
        #expect(request.environment == EnvironmentRequest())
    }

    @Test func anImageWithoutCommandSaysNothing() throws {
        #expect(try applied("env A=1\nworkdir /srv\n").environment == EnvironmentRequest())
    }

    @Test func whatIsNoImageStays() {
        for view in [.host, .empty, .rootfs("/no/such/rootfs")] as [LaunchRequest.View] {
            let before = LaunchRequest().with { $0.view = view }
            var after = before
            #expect(after.applyImageSettings() == nil)
            #expect(after == before)
        }
    }

    // MARK: Whose they are

    /// The command of a root's settings, and what is said of settings that are ignored.
    private func found(_ root: ByteString) -> (command: [ByteString], warning: String?) {
        var request = LaunchRequest()
        request.view = .rootfs(root)
        let warning = request.applyImageSettings()
        return (request.command, warning)
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
