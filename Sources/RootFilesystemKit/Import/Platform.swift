// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A machine as OCI images name it: Go's architecture, and for 32-bit ARM a variant.
struct Platform: Equatable {
    var architecture: String
    var variant: String?

    /// Debian's name and Go's, where they differ.
    private static let names: [(debian: String, platform: Platform)] = [
        ("i386", Platform(architecture: "386")),
        ("armhf", Platform(architecture: "arm", variant: "v7")),
        ("armel", Platform(architecture: "arm", variant: "v5")),
        ("ppc64el", Platform(architecture: "ppc64le")),
        ("mipsel", Platform(architecture: "mipsle")),
        ("mips64el", Platform(architecture: "mips64le")),
    ]

    init(architecture: String, variant: String? = nil) {
        self.architecture = architecture
        self.variant = variant
    }

    init(debian name: String) {
        self = Self.names.first { $0.debian == name }?.platform ?? Platform(architecture: name)
    }

    /// Whether what is for `target` runs here.
    func accepts(_ target: ContentDescriptor.Target) -> Bool {
        guard target.os == "linux", target.architecture == architecture else { return false }
        guard let variant, let offered = target.variant, !offered.isEmpty else { return true }
        return offered == variant
    }

    var debianName: String {
        Self.names.first { $0.platform.architecture == architecture }?.debian ?? architecture
    }

    /// This machine's architecture by Debian's name. `uname(2)`
    static let host: String = {
        var name = utsname()
        uname(&name)
        let machine = withUnsafeBytes(of: name.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch machine {
        case "x86_64": return "amd64"
        case "aarch64": return "arm64"
        case "i486", "i586", "i686": return "i386"
        case "armv7l", "armv8l": return "armhf"
        case "ppc64le": return "ppc64el"
        case "loongarch64": return "loong64"
        default: return machine
        }
    }()
}

extension ContentDescriptor.Target {
    /// It asks for more than the first machines of the architecture had, as `amd64/v3` does.
    var isForNewer: Bool {
        switch (architecture, variant ?? "") {
        case (_, ""), ("amd64", "v1"), ("arm64", "v8"), ("arm", _): false
        default: true
        }
    }
}
