// SPDX-License-Identifier: Apache-2.0

/// The specifications that a host has, read from its directories.
struct DeviceRegistry {
    /// A file that cannot be read as a specification.
    struct Damage: Equatable {
        var file: ByteString
        /// What it is about, where it says.
        var kind: ByteString?
        var line: Int?
        var reason: String

        var place: String { line.map { "\(file.text), line \($0)" } ?? file.text }
    }

    /// In the order of their directories, each of which goes before all that come before it.
    static let standardDirectories: [ByteString] = ["/etc/cdi", "/var/run/cdi"]

    /// Specifications of each directory that is there.
    private(set) var specifications: [[DeviceSpecification]] = []
    private(set) var damages: [Damage] = []
    let directories: [ByteString]

    private static let largestFile = 4 << 20
    private static let mostFiles = 256

    init(directories: [ByteString]) {
        self.directories = directories.isEmpty ? DeviceRegistry.standardDirectories : directories
        for directory in self.directories {
            var found: [DeviceSpecification] = []
            let names = HostFile.names(in: directory).filter { DeviceRegistry.isSpecification($0) }
            for name in names.prefix(DeviceRegistry.mostFiles) {
                if let one = read(directory.appending(path: name)) { found.append(one) }
            }
            specifications.append(found)
        }
    }

    private static func isSpecification(_ name: ByteString) -> Bool {
        let suffixes: [ByteString] = [".json", ".yaml", ".yml"]
        return suffixes.contains {
            name.count > $0.count && name.slice(from: name.count - $0.count) == $0
        }
    }

    private mutating func read(_ file: ByteString) -> DeviceSpecification? {
        // A pipe would never end.
        guard HostFile.isRegular(file) else {
            damages.append(Damage(file: file, reason: "it is no ordinary file that can be read"))
            return nil
        }
        switch HostFile.read(file, limit: DeviceRegistry.largestFile) {
        case .failure(let reason, _):
            damages.append(Damage(file: file, reason: reason))
            return nil
        case .content(let bytes):
            var kind: ByteString?
            do throws(YAMLError) {
                let document = try YAMLNode.parse(bytes)
                kind = DeviceSpecification.kind(of: document)
                return try DeviceSpecification(file: file, document)
            } catch {
                damages.append(
                    Damage(file: file, kind: kind, line: error.line, reason: error.reason))
                return nil
            }
        }
    }

    // MARK: Looking up

    /// The specification that has a device, and what is said of the device there.
    func find(
        _ name: DeviceName
    ) throws(LaunchError) -> (DeviceSpecification, DeviceSpecification.Device) {
        for found in specifications.reversed() {
            var match: (DeviceSpecification, DeviceSpecification.Device)?
            for specification in found where specification.kind == name.kind {
                guard let device = specification.devices.first(where: { $0.name == name.device })
                else { continue }
                if let match {
                    throw .deviceTwice(name, match.0.file, specification.file)
                }
                match = (specification, device)
            }
            if let match { return match }
        }
        // What cannot be read matters only where it could have been the answer.
        for damage in damages where damage.kind == nil || damage.kind == name.kind {
            throw .damagedSpecification(name, damage)
        }
        throw .unknownDevice(name, self)
    }

    /// The names of all devices, those of a kind first.
    func names(preferring kind: ByteString? = nil) -> [String] {
        var names: [String] = []
        for isPreferred in [true, false] {
            for specification in specifications.reversed().joined()
            where (specification.kind == kind) == isPreferred {
                for device in specification.devices {
                    let name = DeviceName(kind: specification.kind, device: device.name).text
                    if !names.contains(name) { names.append(name) }
                }
            }
        }
        return names
    }

    var directoriesText: String {
        var text = ""
        for directory in directories { text += (text.isEmpty ? "" : " and ") + directory.text }
        return text
    }
}

extension LaunchError {
    fileprivate static func deviceTwice(
        _ name: DeviceName, _ first: ByteString, _ second: ByteString
    ) -> LaunchError {
        LaunchError(
            .setup,
            "cannot give the device \(name.text): both \(first.text) and \(second.text) have it",
            remedy: "one of the two must go, or into a directory of its own")
    }

    fileprivate static func damagedSpecification(
        _ name: DeviceName, _ damage: DeviceRegistry.Damage
    ) -> LaunchError {
        LaunchError(
            .setup, "cannot give the device \(name.text): \(damage.place): \(damage.reason)",
            remedy: "no other specification has the device, and this one cannot be read")
    }

    fileprivate static func unknownDevice(
        _ name: DeviceName, _ registry: DeviceRegistry
    ) -> LaunchError {
        let known = registry.names(preferring: name.kind)
        var list = ""
        for name in known.prefix(8) { list += (list.isEmpty ? "" : ", ") + name }
        if known.count > 8 { list += " and \(known.count - 8) more" }
        let remedy =
            if !known.isEmpty {
                "known are \(list)"
            } else if let damage = registry.damages.first {
                "what is there cannot be used: \(damage.place): \(damage.reason)"
            } else if registry.specifications.joined().isEmpty {
                "there is none at all; a vendor's tool writes them, such as nvidia-ctk cdi generate"
            } else {
                "no specification there has any device"
            }
        return LaunchError(
            .setup,
            "cannot give the device \(name.text): no specification in "
                + "\(registry.directoriesText) has it", remedy: remedy)
    }
}
