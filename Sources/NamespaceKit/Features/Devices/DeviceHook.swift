// SPDX-License-Identifier: Apache-2.0

/// What a hook of a specification does that nsrun does in its place: it runs none, for a hook expects a
/// container engine's surroundings, and often root.
enum DeviceHook: Equatable {
    /// Libraries in these directories can be found by the dynamic linker.
    case linkerCache(folders: [ByteString])
    case links([HostDevices.Link])
    /// Libraries that the root itself has of a newer driver go before this one's.
    case compatibility(driver: ByteString)
    /// It would change nothing here, for this reason.
    case needless(String)

    /// The tools by which NVIDIA's specifications call their hooks.
    private static let nvidia: [ByteString] = ["nvidia-ctk", "nvidia-cdi-hook"]

    /// Nil for a hook that does anything else.
    init?(_ hook: DeviceEdits.Hook) {
        var words = hook.arguments.dropFirst()  // the program's own name
        let program = hook.path.lastComponent
        if program == "ldconfig" {
            guard words.allSatisfy({ $0.isAbsolute }) else { return nil }
            self = .linkerCache(folders: Array(words))
            return
        }
        guard DeviceHook.nvidia.contains(program) else { return nil }
        if words.first == "hook" { words.removeFirst() }
        guard let action = words.popFirst(), let values = DeviceHook.options(Array(words)) else {
            return nil
        }
        func all(_ name: ByteString) -> [ByteString] {
            values.filter { $0.name == name }.map { $0.value }
        }
        switch action {
        case "update-ldcache": self = .linkerCache(folders: all("--folder"))
        case "create-symlinks":
            var links: [HostDevices.Link] = []
            for link in all("--link") {
                guard let made = DeviceHook.link(link) else { return nil }
                links.append(made)
            }
            self = .links(links)
        case "enable-cuda-compat":
            guard let driver = all("--host-driver-version").last, NVIDIADriver.isVersion(driver)
            else { return nil }
            self = .compatibility(driver: driver)
        case "chmod":
            // Directories that are made on the way have it, and the host's are shown as they are.
            guard all("--mode") == ["755"] else { return nil }
            self = .needless("directories have the mode 0755 anyway")
        case "disable-device-node-modification":
            self = .needless("no device node can be made here")
        default: return nil
        }
    }

    /// `--name value` and `--name=value`.
    private static func options(
        _ words: [ByteString]
    ) -> [(name: ByteString, value: ByteString)]? {
        var options: [(name: ByteString, value: ByteString)] = []
        var index = 0
        while index < words.count {
            let word = words[index]
            guard word.hasPrefix("--") else { return nil }
            if let sign = word.firstIndex(of: UInt8(ascii: "=")) {
                options.append((word.slice(from: 0, to: sign), word.slice(from: sign + 1)))
                index += 1
            } else {
                guard index + 1 < words.count else { return nil }
                options.append((word, words[index + 1]))
                index += 2
            }
        }
        return options
    }

    /// `TEXT::PATH`.
    private static func link(_ text: ByteString) -> HostDevices.Link? {
        let colon = UInt8(ascii: ":")
        for index in 0..<max(0, text.count - 1)
        where text.bytes[index] == colon && text.bytes[index + 1] == colon {
            let path = text.slice(from: index + 2)
            guard index > 0, path.isAbsolute else { return nil }
            return HostDevices.Link(
                text: text.slice(from: 0, to: index), target: path.withoutDots)
        }
        return nil
    }
}
