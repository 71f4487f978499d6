// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The values of options, read from text.
enum Value {
    /// `arm=/usr/bin/qemu-arm-static`.
    static func emulator(_ parsed: ParsedOption) throws(UsageError) -> EmulatorRequest {
        let text = parsed.values[0]
        guard let sign = text.firstIndex(of: UInt8(ascii: "=")), sign > 0, sign + 1 < text.count
        else {
            throw UsageError(
                "\(parsed.origin.text): \"\(text.text)\" is not A=PATH",
                remedy: "an architecture and a static QEMU for it, as in arm=/opt/qemu-arm-static")
        }
        return EmulatorRequest(
            architecture: text.slice(from: 0, to: sign), path: text.slice(from: sign + 1))
    }

    static func descriptor(_ parsed: ParsedOption, _ index: Int) throws(UsageError) -> Int32 {
        let text = parsed.values[index]
        guard let number = text.number(), number < 1 << 20 else {
            throw UsageError(
                "\(parsed.origin.text): \"\(text.text)\" is no file descriptor",
                bubblewrap: "Invalid fd: \(text.text)")
        }
        guard HostFile.isOpen(Int32(number)) else {
            throw UsageError(
                "\(parsed.origin.text): descriptor \(number) is not open",
                remedy: "open it in the shell, as in: ... \(number)<FILE")
        }
        return Int32(number)
    }

    static func id(_ parsed: ParsedOption) throws(UsageError) -> UInt32 {
        guard let number = parsed.values[0].number(), number < UInt64(UInt32.max) else {
            throw UsageError(
                "\(parsed.origin.text): \"\(parsed.values[0].text)\" is no id",
                remedy: "give a number from 0 to 4294967294",
                bubblewrap:
                    "Invalid \(parsed.id == .namespace(.uid) ? "uid" : "gid"): \(parsed.values[0].text)"
            )
        }
        return UInt32(number)
    }

    static func mode(_ parsed: ParsedOption) throws(UsageError) -> UInt32 {
        guard let number = parsed.values[0].number(base: 8), number <= 0o7777 else {
            throw UsageError(
                "\(parsed.origin.text): \"\(parsed.values[0].text)\" is no octal mode",
                remedy: "as in 0755",
                bubblewrap: "\(parsed.origin.text) takes an octal argument <= 07777")
        }
        return UInt32(number)
    }

    /// A size in bytes, as it is or with K, M, G or T behind it (powers of 1024).
    static func size(_ parsed: ParsedOption) throws(UsageError) -> UInt64 {
        if let size = bytes(parsed.values[0]), size > 0, size <= UInt64.max >> 1 { return size }
        throw UsageError(
            "\(parsed.origin.text): \"\(parsed.values[0].text)\" is no size",
            remedy: "give bytes, as in 65536, or 64K, 10M, 1G",
            bubblewrap: "\(parsed.origin.text) takes a non-zero number of bytes")
    }

    static func bytes(_ text: ByteString) -> UInt64? {
        guard let last = text.bytes.last else { return nil }
        let shift: UInt64
        switch last {
        case UInt8(ascii: "k"), UInt8(ascii: "K"): shift = 10
        case UInt8(ascii: "m"), UInt8(ascii: "M"): shift = 20
        case UInt8(ascii: "g"), UInt8(ascii: "G"): shift = 30
        case UInt8(ascii: "t"), UInt8(ascii: "T"): shift = 40
        default: return text.number()
        }
        guard let number = text.slice(from: 0, to: text.count - 1).number() else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : value
    }

    /// A duration in nanoseconds, as timeout(1) reads it: seconds, or with ms, s, m, h or d.
    static func duration(_ parsed: ParsedOption) throws(UsageError) -> Int64 {
        if let nanoseconds = nanoseconds(parsed.values[0]) { return nanoseconds }
        throw UsageError(
            "\(parsed.origin.text): \"\(parsed.values[0].text)\" is no duration",
            remedy: "give seconds, as in 30 or 0.5, or 500ms, 2m, 1h, 1d")
    }

    static func nanoseconds(_ text: ByteString) -> Int64? {
        let units: [(StaticString, Int64)] = [
            ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
            ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
        ]
        var number = text
        var unit: Int64 = 1_000_000_000
        for (suffix, value) in units {
            let count = suffix.utf8CodeUnitCount
            if text.count > count,
                text.slice(from: text.count - count) == ByteString(stringLiteral: suffix)
            {
                number = text.slice(from: 0, to: text.count - count)
                unit = value
                break
            }
        }
        let parts = number.split(on: UInt8(ascii: "."))
        guard parts.count <= 2, !number.isEmpty, !(parts.count == 2 && number.count == 1) else {
            return nil
        }
        guard let whole = parts[0].isEmpty ? 0 : parts[0].number(), whole < 1 << 32 else {
            return nil
        }
        let (base, overflow) = Int64(whole).multipliedReportingOverflow(by: unit)
        if overflow { return nil }
        var fraction: Int64 = 0
        if parts.count == 2, !parts[1].isEmpty {
            let digits = parts[1].slice(from: 0, to: min(parts[1].count, 9))
            let isDigits = parts[1].bytes.allSatisfy {
                $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
            }
            guard isDigits, let value = digits.number() else { return nil }
            var scale: Int64 = 1
            for _ in 0..<digits.count { scale *= 10 }
            fraction = unit / scale * Int64(value) + unit % scale * Int64(value) / scale
        }
        let (sum, over) = base.addingReportingOverflow(fraction)
        return over ? nil : sum
    }

    /// `NAME=SOFT[:HARD]`; one number stands for both.
    static func limit(_ parsed: ParsedOption) throws(UsageError) -> ResourceLimit {
        let text = parsed.values[0]
        let failure = UsageError(
            "\(parsed.origin.text): \"\(text.text)\" is no limit",
            remedy: "as in nofile=1024, as=2G:4G or core=unlimited")
        guard let sign = text.firstIndex(of: UInt8(ascii: "=")) else { throw failure }
        let name = text.slice(from: 0, to: sign)
        guard let resource = ResourceLimit.resource(named: name) else {
            var known = ""
            for (name, _) in ResourceLimit.resources {
                if !known.isEmpty { known += ", " }
                known += name.text
            }
            throw UsageError(
                "\(parsed.origin.text): unknown limit \"\(name.text)\"", remedy: "one of \(known)")
        }
        let parts = text.slice(from: sign + 1).split(on: UInt8(ascii: ":"))
        guard parts.count <= 2, let soft = limitValue(parts[0]),
            let hard = limitValue(parts[parts.count - 1]), soft <= hard
        else { throw failure }
        return ResourceLimit(resource: resource, soft: soft, hard: hard)
    }

    private static func limitValue(_ text: ByteString) -> UInt64? {
        text == "unlimited" ? ResourceLimit.unlimited : bytes(text)
    }

    /// `INSIDE:OUTSIDE:COUNT`, as newuidmap(1) takes it.
    static func range(_ parsed: ParsedOption) throws(UsageError) -> IDRange {
        let parts = parsed.values[0].split(on: UInt8(ascii: ":"))
        var numbers: [UInt32] = []
        for part in parts {
            if let number = part.number(), number < UInt64(UInt32.max) {
                numbers.append(UInt32(number))
            }
        }
        guard parts.count == 3, numbers.count == 3, numbers[2] > 0 else {
            throw UsageError(
                "\(parsed.origin.text): \"\(parsed.values[0].text)\" is no range of ids",
                remedy: "INSIDE:OUTSIDE:COUNT, as in 0:100000:65536")
        }
        return IDRange(inside: numbers[0], outside: numbers[1], count: numbers[2])
    }

    static func namesAll(_ parsed: ParsedOption) -> Bool {
        let value = parsed.values[0].bytes
        let all: [UInt8] = [UInt8(ascii: "a"), UInt8(ascii: "l"), UInt8(ascii: "l")]
        return value.count == 3 && (0..<3).allSatisfy { value[$0] | 0x20 == all[$0] }
    }

    static func capability(_ parsed: ParsedOption) throws(UsageError) -> Int32 {
        guard let number = CapabilityChange.named(parsed.values[0]) else {
            throw UsageError(
                "\(parsed.origin.text): unknown capability \"\(parsed.values[0].text)\"",
                remedy: "as in CAP_NET_ADMIN or net_admin; capabilities(7) lists them",
                bubblewrap: "unknown cap: \(parsed.values[0].text)")
        }
        return number
    }
}
