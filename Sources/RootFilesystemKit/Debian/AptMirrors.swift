// SPDX-License-Identifier: Apache-2.0

/// Where this host's apt gets Debian from.
enum AptMirrors {
    /// The addresses of Debian's own archive in apt's configuration, none where apt has none.
    static func configured() -> [String] {
        let fields = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
        let apt = ExternalTool(name: "apt-get", package: "apt")
        let arguments = ["indextargets", "--format", fields, "Created-By: Packages"]
        guard let output = try? apt.run(arguments, cannot: "ask", "apt") else { return [] }
        var mirrors: [String] = []
        for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "|")
            guard parts.count == 3, parts[0] == "Debian", parts[1] == "Debian",
                !mirrors.contains(String(parts[2]))
            else { continue }
            mirrors.append(String(parts[2]))
        }
        return mirrors
    }

    /// The proxy that apt goes through, as lines of apt's own configuration.
    static func proxySettings() -> [String] {
        let tool = ExternalTool(name: "apt-config", package: "apt")
        let names = ["Acquire::http::Proxy", "Acquire::https::Proxy"]
        let output = try? tool.run(
            ["dump", "--format", "%F \"%v\";%n"] + names, cannot: "ask", "apt")
        return String(decoding: output ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
