// SPDX-License-Identifier: Apache-2.0

import CHost

/// A small program of the host, run to its end: getent(1), newuidmap(1).
enum HostTool {
    struct Answer {
        var output: [UInt8]
        /// As wait(2) gives it; a negative errno where the program could not be started at all.
        var status: Int32
        var succeeded: Bool { status == 0 }
    }

    /// Nil where the program could not be started.
    static func run(
        _ path: ByteString, _ arguments: [ByteString], errorsToo: Bool = false,
        environment: [ByteString]? = nil, limit: Int = 65536
    ) -> Answer? {
        let answer = attempt(
            path, arguments, errorsToo: errorsToo, environment: environment, limit: limit)
        return answer.status < 0 ? nil : answer
    }

    /// What it prints beyond the limit, in bytes, is lost.
    static func attempt(
        _ path: ByteString, _ arguments: [ByteString], errorsToo: Bool = false,
        environment: [ByteString]? = nil, limit capacity: Int = 65536
    ) -> Answer {
        var vector = CStringArray()
        vector.append(path)
        for argument in arguments { vector.append(argument) }
        var entries = CStringArray()
        for entry in environment ?? [] { entries.append(entry) }
        defer {
            vector.free()
            entries.free()
        }
        let variables = environment == nil ? nsrun_environment()! : entries.terminated()
        var length = 0
        var status: Int32 = 0
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            status = buffer.withMemoryRebound(to: CChar.self) { text in
                nsrun_capture(
                    vector.pointers[0]!, vector.terminated(), variables,
                    text.baseAddress!, capacity,
                    &length, errorsToo)
            }
            count = length
        }
        return Answer(output: output, status: status)
    }
}

extension HostFile {
    /// A tool of the host, nil where there is none; see ``HostFacts/places(ofTool:)``.
    public static func tool(_ name: ByteString) -> ByteString? {
        HostFacts.environmentOnly.places(ofTool: name).first(where: isExecutable)
    }
}

extension HostFacts {
    /// Where a tool of the host may lie, under any of its names: in the directories of PATH, an unsafe relative
    /// one left out, then in those that a short PATH lacks.
    func places(ofTool names: ByteString...) -> [ByteString] {
        let search = variable("PATH")?.split(on: UInt8(ascii: ":")) ?? []
        return (search.filter { $0.isAbsolute } + ["/usr/local/bin", "/usr/bin"])
            .flatMap { directory in names.map { directory.appending(path: $0) } }
    }
}
