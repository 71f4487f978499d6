// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Devices that are asked for by name, and the driver that belongs to them.
extension Planner {
    /// After the user's own operations, which may empty the places that a device belongs in.
    mutating func planDevicesAskedFor() throws(LaunchError) {
        if let refusal = facts.devices.refusal { throw refusal }
        let devices = facts.devices
        if let need = devices.need {
            add(
                .needGlibc(need, candidates: Planner.libraryCandidates(facts.machine)),
                word(words.nvidia))
        }
        for directory in devices.directories {
            add(
                .tmpfs(target: directory, mode: 0o755, size: nil, replacesLink: true),
                word(words.nvidia))
        }
        for place in devices.places {
            mount(
                place.source, place.target, place.options,
                word(place.origin == .device ? words.device : words.nvidia))
        }
        for link in devices.links {
            add(.bindLink(text: link.text, target: link.target), deviceWord)
        }
        if !devices.libraries.isEmpty {
            add(
                .linkerCache(
                    devices.libraries.inCacheOrder, target: "/etc/ld.so.cache"), deviceWord)
        }
        plan.omissions += devices.omissions
    }

    private var deviceWord: ByteString? {
        word(request.devices.names.isEmpty ? words.nvidia : words.device)
    }

    /// What the user says of a variable counts, but clearing what is the caller's is not about the device's.
    var deviceVariables: [EnvironmentRequest.Change] {
        facts.devices.environment.compactMap { entry in
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let name = entry.slice(from: 0, to: sign)
            if request.program.environment.changes.contains(where: { $0.isAbout(name) }) {
                return nil
            }
            return .set(name: name, value: entry.slice(from: sign + 1))
        }
    }

    /// Where roots have the C library of this machine.
    static func libraryCandidates(_ machine: ByteString) -> [ByteString] {
        [
            "/lib/" + machine + "-linux-gnu/libc.so.6", "/lib64/libc.so.6",
            "/usr/lib/" + machine + "-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6",
            "/lib/libc.so.6", "/usr/lib/libc.so.6",
        ]
    }
}

extension LaunchRequest.Devices {
    var isAsked: Bool { !names.isEmpty || showsNVIDIADriver }
}

extension EnvironmentRequest.Change {
    fileprivate func isAbout(_ name: ByteString) -> Bool {
        switch self {
        case .set(let other, _), .unset(let other): other == name
        case .clear: false
        }
    }
}

extension [HostDevices.Library] {
    /// The linker's cache falls from the last name to the first.
    var inCacheOrder: [HostDevices.Library] {
        sorted { left, right in
            withCString(left.name) { name in
                withCString(right.name) { nsrun_compare_libraries(name, $0) }
            } > 0
        }
    }
}
