// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What others have written may hold as many things as there is room for; it takes moments, not minutes.
@Suite struct LargeInputTests {
    private func inMoments(_ body: () throws -> Void) rethrows {
        let time = try ContinuousClock().measure(body)
        #expect(time < .seconds(60))
    }

    @Test func variablesOfAnImage() throws {
        let count = 60_000
        var request = LaunchRequest.rootfs()
        for number in 0..<count {
            request.program.environment.changes.append(
                .set(name: ByteString("A\(number)"), value: "x"))
        }
        try inMoments {
            let environment = try plan(request).environment
            #expect(environment.suffix(count).last == ByteString("A\(count - 1)=x"))
        }
    }

    @Test func namesOfASpecification() throws {
        let text = (0..<80_000).map { "name\($0): x\n" }.joined()
        try inMoments {
            let entries = try YAMLNode.parse(Array(text.utf8)).entries()
            #expect(entries.count == 80_000)
        }
    }

    /// Each is compared with the others, so that there is an end to them.
    @Test(arguments: ["env: [VALUES]", "hooks: [{hookName: x, path: /x, args: [VALUES]}]"])
    func whatADeviceAsksForHasAnEnd(edits: String) throws {
        func complaint(_ count: Int) -> YAMLError? {
            let values = (0..<count).map { "A\($0)=1" }.joined(separator: ",")
            let text = """
                cdiVersion: "0.5.0"
                kind: vendor.com/gpu
                containerEdits: {\(edits.replacing("VALUES", with: values))}
                devices: []
                """
            do throws(YAMLError) {
                _ = try DeviceSpecification(
                    file: "/x", try YAMLNode.parse(Array(text.utf8)))
                return nil
            } catch {
                return error
            }
        }
        #expect(complaint(4000) == nil)
        #expect(
            complaint(4200) == YAMLError(line: 3, reason: "more than 4096 things are asked for"))
    }
}
