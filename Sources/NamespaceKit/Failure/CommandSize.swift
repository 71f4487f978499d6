// SPDX-License-Identifier: Apache-2.0

/// How much a program is given when it starts, of which execve(2) takes so much and no more.
struct CommandSize: Equatable {
    var arguments: [ByteString] = []
    var environment: [ByteString] = []

    /// Of one argument or variable, with the NUL behind it (`MAX_ARG_STRLEN`), where pages have 4096 bytes.
    private static let mostOfOne = 131_072

    /// The environment, not the arguments, is what is too much.
    private var isOfEnvironment: Bool {
        if let longest, longest.isTooLong { return longest.isVariable }
        return total(environment) > total(arguments)
    }

    private var longest: (text: ByteString, isVariable: Bool, isTooLong: Bool)? {
        let argument = arguments.max { $0.count < $1.count }
        let variable = environment.max { $0.count < $1.count }
        let isVariable = (variable?.count ?? 0) > (argument?.count ?? 0)
        guard let text = isVariable ? variable : argument else { return nil }
        return (text, isVariable, text.count + 1 > Self.mostOfOne)
    }

    private func total(_ words: [ByteString]) -> Int {
        words.reduce(0) { $0 + $1.count + 1 + MemoryLayout<UInt>.size }
    }

    var words: String {
        if let longest, longest.isTooLong {
            if !longest.isVariable {
                return "an argument has \(longest.text.count) bytes, too many for the kernel"
            }
            let name = longest.text.slice(
                from: 0, to: longest.text.firstIndex(of: UInt8(ascii: "=")) ?? 0)
            return "the environment variable \(name.text) has \(longest.text.count) bytes, too "
                + "many for the kernel"
        }
        let what = isOfEnvironment ? "the environment is" : "the arguments are"
        return "\(what) too long: \(total(arguments)) bytes of arguments and "
            + "\(total(environment)) of environment"
    }

    var remedy: String {
        if let longest, longest.isTooLong {
            return "one may have \(Self.mostOfOne - 1) bytes: hand on a file instead"
        }
        let other =
            isOfEnvironment
            ? "unset what the command does not need" : "hand the arguments on in a file"
        return other
            + "; or raise the limit of stacks (ulimit -s), of which they may have a quarter"
    }
}
