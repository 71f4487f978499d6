// SPDX-License-Identifier: Apache-2.0

/// Texts of JSON (RFC 8259), for those that are printed.
public enum JSONText {
    /// A string. `escaping`: what else is written as a number, besides what has to be.
    public static func quote(
        _ text: String, escaping: (UInt32) -> Bool = { _ in false }
    ) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || escaping(scalar.value):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
