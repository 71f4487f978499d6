// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a tree says of itself: which release of which distribution, for which machine.
struct TreeFacts {
    var suite: String?
    /// By Debian's name.
    var architecture: String?

    init(of root: RootDirectory) {
        suite = Self.suite(root)
        architecture = Self.architecture(root)
    }

    /// From os-release(5).
    private static func suite(_ root: RootDirectory) -> String? {
        guard let text = read(EntryPath("etc/os-release"), root, limit: 16384) else { return nil }
        var values: [Substring: String] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            values[parts[0]] = parts[1].filter { $0 != "\"" && $0 != "'" }
        }
        if let codename = values["VERSION_CODENAME"], !codename.isEmpty { return codename }
        let words = [values["ID"], values["VERSION_ID"]].compactMap { $0 }
        return words.isEmpty ? nil : words.joined(separator: "-")
    }

    /// From the ELF header of a program every system has. elf(5)
    private static func architecture(_ root: RootDirectory) -> String? {
        let programs = [
            EntryPath("usr/bin/env"), EntryPath("bin/sh"), EntryPath("bin/busybox"),
            EntryPath("usr/bin/dpkg"),
        ]
        for program in programs {
            guard let header = read(program, root, limit: 64), header.count >= 52,
                header.starts(with: [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")])
            else { continue }
            let is64 = header[4] == 2
            let isLittle = header[5] == 1
            let machine = isLittle ? Int(header[18]) | Int(header[19]) << 8 : Int(header[19])
            switch machine {
            case 62: return is64 ? "amd64" : "x32"
            case 3: return "i386"
            case 183: return "arm64"
            case 40: return header[37] & 0x04 != 0 ? "armhf" : "armel"  // EF_ARM_ABI_FLOAT_HARD
            case 243: return "riscv64"
            case 21: return isLittle ? "ppc64el" : "ppc64"
            case 22: return "s390x"
            case 8: return (is64 ? "mips64" : "mips") + (isLittle ? "el" : "")
            case 258: return "loong64"
            default: continue
            }
        }
        return nil
    }

    private static func read(_ path: EntryPath, _ root: RootDirectory, limit: Int) -> [UInt8]? {
        let opened = root.open(path, O_RDONLY | O_NONBLOCK)
        guard let file = try? Descriptor(opened, cannot: "read", path.printable),
            let status = try? file.status(cannot: "examine", path.printable), status.isRegularFile
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(file.number, &bytes, limit)
        return count < 0 ? nil : Array(bytes[..<count])
    }
}
