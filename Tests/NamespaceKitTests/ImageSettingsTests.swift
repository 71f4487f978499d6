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
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(text.utf8).write(to: folder.appending(path: "box.image"))
        var request = LaunchRequest()
        request.view = .rootfs(ByteString(folder.path + "/box" + (slash ? "//" : "")))
        change(&request)
        request.applyImageSettings()
        return request
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
            #expect(before.with { $0.applyImageSettings() } == before)
        }
    }
}
