// SPDX-License-Identifier: Apache-2.0

import CHost

@testable import LaunchCommand
@testable import NamespaceKit

extension FuzzTarget {
    /// Options of nsrun, a line each, as an argument file has them; under either name, up to the plan.
    static let options = FuzzTarget(name: "options", growsTo: 64 << 10) { bytes in
        let text = ByteString(bytes: bytes)
        _ = try? EnvironmentFile.parse(bytes, "/x")
        _ = (Value.bytes(text), Value.nanoseconds(text))
        checkEnv(text)
        let words = ArgumentFile.parts(bytes.filter { $0 != 0 }, UInt8(ascii: "\n"))
        // These read files of the host's and descriptors of this process.
        let readers: [ByteString] = ["--args", "--env-file", "--seccomp", "--add-seccomp-fd"]
        guard
            !words.contains(where: { word in
                word.first == UInt8(ascii: "@")
                    || readers.contains { word.bytes.starts(with: $0.bytes) }
            })
        else { return }
        for name: ByteString in ["nsrun", "bwrap"] {
            let personality = Personality(argument0: name)
            do {
                let line = try Parser.parse(words, as: personality)
                let invocation = try RequestBuilder.build(line, as: personality)
                let plan = try Planner.plan(invocation.request, on: HostFacts(), as: .parent)
                _ = (Explanation(plan).text, Explanation(plan).json)
            } catch {
                if let error = error as? UsageError { check(error.message) }
                if let error = error as? LaunchError { check(error.message) }
            }
        }
    }

    private static func check(_ message: String) {
        demand(isLine(message), "a message has control characters: \(message.debugDescription)")
    }

    /// A word among the options of env(1), below the engine fakechroot.
    private static func checkEnv(_ word: ByteString) {
        guard word.first == UInt8(ascii: "-"), !word.contains(0) else { return }
        withExactBytes(word.bytes + [0]) { text in
            let copy = UnsafeMutablePointer(mutating: text.baseAddress!)
            var skips = false
            let isEmpty = nsrun_takes_empty(copy, &skips)
            var skipsAgain = false
            demand(
                !isEmpty || !nsrun_takes_empty(copy, &skipsAgain)
                    || ByteString(cString: copy) == "-"
                    || word == "--ignore-environment", "an option is still there")
        }
    }
}
