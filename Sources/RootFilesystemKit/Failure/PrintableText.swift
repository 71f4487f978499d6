// SPDX-License-Identifier: Apache-2.0

extension String {
    /// What may go to a terminal, whatever it was made of: control characters other than a newline are escaped,
    /// so that no name can pose as something else.
    public var harmless: String {
        func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x0a: true
            case 0..<0x20, 0x7f..<0xa0: false
            default: true
            }
        }
        if unicodeScalars.allSatisfy(isHarmless) { return self }
        var result = ""
        for scalar in unicodeScalars {
            if isHarmless(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return result
    }

    /// The same on one line.
    public var harmlessLine: String { ByteString(self).text }
}
