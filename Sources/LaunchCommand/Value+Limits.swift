// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

extension Value {
    /// `NAME=MOST,...`; what is said of a thing last counts.
    static func addGroupLimits(
        _ parsed: ParsedOption, to limits: inout Limits
    ) throws(UsageError) {
        for part in parsed.values[0].split(on: UInt8(ascii: ",")) {
            func failure(_ remedy: String) -> UsageError {
                UsageError(
                    "\(parsed.origin.text): \"\(part.text)\" is no limit", remedy: remedy)
            }
            guard let sign = part.firstIndex(of: UInt8(ascii: "=")) else {
                throw failure("as in memory=1G,cpu=1.5,pids=200,io=50M")
            }
            let value = part.slice(from: sign + 1)
            switch part.slice(from: 0, to: sign) {
            case "memory":
                if let share = percent(value)?.number() {
                    limits.memory = .percent(share)
                } else if let bytes = bytes(value) {
                    limits.memory = .bytes(bytes)
                } else {
                    throw failure("memory=BYTES, as in 512M or 2G, or memory=50% of the machine's")
                }
            case "cpu":
                // A hundredth of a processor is ten thousandths.
                let share = percent(value)?.number().flatMap { $0 < 1 << 32 ? $0 * 10 : nil }
                guard let thousandths = share ?? thousandths(value) else {
                    throw failure("cpu=PROCESSORS, as in 2 or 1.5, or as in 150%")
                }
                limits.processorThousandths = thousandths
            case "pids":
                guard let count = value.number(), count < 1 << 32 else {
                    throw failure("pids=COUNT, of processes and threads")
                }
                limits.processes = count
            case "io":
                guard let rate = bytes(value) else {
                    throw failure("io=BYTES a second for each disk, as in 50M")
                }
                limits.bytesPerSecond = rate
            default: throw failure("one of memory=, cpu=, pids= and io=")
            }
        }
    }

    /// What stands before a sign.
    private static func percent(_ text: ByteString) -> ByteString? {
        text.bytes.last == UInt8(ascii: "%") ? text.slice(from: 0, to: text.count - 1) : nil
    }

    /// A number of at most three decimal places.
    private static func thousandths(_ text: ByteString) -> UInt64? {
        let parts = text.split(on: UInt8(ascii: "."))
        guard parts.count <= 2, let whole = parts[0].number(), whole < 1 << 32 else { return nil }
        if parts.count == 1 { return whole * 1000 }
        guard (1...3).contains(parts[1].count), var rest = parts[1].number() else { return nil }
        for _ in parts[1].count..<3 { rest *= 10 }
        return whole * 1000 + rest
    }
}
