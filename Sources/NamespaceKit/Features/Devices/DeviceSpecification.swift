// SPDX-License-Identifier: Apache-2.0

/// A file of the Container Device Interface: what a container needs in order to use a vendor's devices.
///
/// See the specification at <https://github.com/cncf-tags/container-device-interface>, versions 0.3.0 to 1.1.0.
struct DeviceSpecification: Equatable {
    struct Device: Equatable {
        var name: ByteString
        var line: Int
        var edits: DeviceEdits
    }

    var file: ByteString
    var kind: ByteString
    /// What each of the devices needs.
    var edits: DeviceEdits
    var devices: [Device]

    static let versions: [ByteString] = [
        "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0",
    ]

    init(file: ByteString, _ document: YAMLNode) throws(YAMLError) {
        self.file = file
        let fields = try YAMLFields(
            document, ["cdiVersion", "kind", "annotations", "devices", "containerEdits"])
        let version = try fields.required("cdiVersion").text()
        guard DeviceSpecification.versions.contains(version) else {
            throw YAMLError(
                line: try fields.required("cdiVersion").line,
                reason: "version \(version.text) is none of 0.3.0 to 1.1.0")
        }
        kind = try fields.required("kind").text()
        guard DeviceName.isKind(kind) else {
            throw YAMLError(
                line: try fields.required("kind").line,
                reason: "the kind \"\(kind.text)\" is not of the form vendor.com/class")
        }
        edits = try fields["containerEdits"].map(DeviceEdits.init) ?? DeviceEdits()
        devices = []
        for node in try fields.required("devices").items() {
            let fields = try YAMLFields(node, ["name", "annotations", "containerEdits"])
            let name = try fields.required("name").text()
            guard DeviceName.isDevice(name) else {
                throw YAMLError(
                    line: node.line, reason: "\"\(name.text)\" cannot be the name of a device")
            }
            let edits = try DeviceEdits(try fields.required("containerEdits"))
            devices.append(Device(name: name, line: node.line, edits: edits))
        }
        if let repeated = devices.map({ $0.name }).firstRepeated {
            throw YAMLError(
                line: devices[repeated].line,
                reason: "the device \(devices[repeated].name.text) is there twice")
        }
    }

    /// What a file says its kind is, be the rest as it may.
    static func kind(of document: YAMLNode) -> ByteString? {
        guard case .map(let entries) = document.content else { return nil }
        for entry in entries where entry.key == "kind" {
            if case .scalar(let text, _) = entry.value.content { return text }
        }
        return nil
    }
}

/// `containerEdits`: what is added to a container.
struct DeviceEdits: Equatable {
    struct Node: Equatable {
        var line: Int
        /// In the container.
        var path: ByteString
        var hostPath: ByteString
        /// `b`, `c`, `u` or `p` of mknod(1).
        var type: ByteString?
        var major: UInt32?
        var minor: UInt32?
        /// What the host's node, which is shown as it is, may not have.
        var permissions: ByteString?
        var mode: UInt32?
        var user: UInt32?
        var group: UInt32?
    }

    struct Mount: Equatable {
        var line: Int
        var path: ByteString
        var hostPath: ByteString
        var options: [ByteString] = []
        var type: ByteString?
    }

    struct Hook: Equatable {
        var line: Int
        var name: ByteString
        var path: ByteString
        var arguments: [ByteString] = []
    }

    struct Unsupported: Equatable {
        var line: Int
        var name: ByteString
    }

    var environment: [ByteString] = []
    var nodes: [Node] = []
    var mounts: [Mount] = []
    var hooks: [Hook] = []
    var groups: [UInt32] = []
    /// What nsrun does not do, and where it is asked for.
    var unsupported: Unsupported?

    /// More than any device needs: each is compared with the others.
    private static let most = 4096

    init() {}

    init(_ node: YAMLNode) throws(YAMLError) {
        let fields = try YAMLFields(
            node,
            [
                "env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt", "netDevices",
            ])
        for item in try fields.items("env") {
            let entry = try item.text()
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0,
                !entry.contains(UInt8(ascii: "\n"))
            else {
                throw YAMLError(
                    line: item.line, reason: "\"\(entry.text)\" is not of the form NAME=VALUE")
            }
            environment.append(entry)
        }
        for item in try fields.items("deviceNodes") { nodes.append(try Node(item)) }
        for item in try fields.items("mounts") { mounts.append(try Mount(item)) }
        for item in try fields.items("hooks") { hooks.append(try Hook(item)) }
        for item in try fields.items("additionalGids") { groups.append(try item.number()) }
        let words = hooks.reduce(0) { $0 + $1.arguments.count }
        guard
            environment.count + nodes.count + mounts.count + hooks.count + groups.count + words
                <= DeviceEdits.most
        else {
            throw YAMLError(
                line: node.line, reason: "more than \(DeviceEdits.most) things are asked for")
        }
        for name: ByteString in ["intelRdt", "netDevices"] {
            if let node = fields[name] { unsupported = Unsupported(line: node.line, name: name) }
        }
    }
}

extension DeviceEdits.Node {
    init(_ node: YAMLNode) throws(YAMLError) {
        let fields = try YAMLFields(
            node,
            [
                "path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid",
                "gid",
            ])
        line = node.line
        path = try fields.required("path").path()
        hostPath = try fields["hostPath"]?.path() ?? path
        type = try fields["type"]?.text()
        if let type, !["b", "c", "u", "p"].contains(type) {
            throw YAMLError(line: node.line, reason: "\"\(type.text)\" is no type of a device node")
        }
        major = try fields["major"]?.number()
        minor = try fields["minor"]?.number()
        permissions = try fields["permissions"]?.text()
        mode = try fields["fileMode"]?.number()
        user = try fields["uid"]?.number()
        group = try fields["gid"]?.number()
    }
}

extension DeviceEdits.Mount {
    init(_ node: YAMLNode) throws(YAMLError) {
        let fields = try YAMLFields(node, ["hostPath", "containerPath", "options", "type"])
        line = node.line
        path = try fields.required("containerPath").path()
        hostPath = try fields.required("hostPath").path()
        options = try fields["options"]?.texts() ?? []
        type = try fields["type"]?.text()
    }
}

extension DeviceEdits.Hook {
    init(_ node: YAMLNode) throws(YAMLError) {
        let fields = try YAMLFields(node, ["hookName", "path", "args", "env", "timeout"])
        line = node.line
        name = try fields.required("hookName").text()
        path = try fields.required("path").path()
        arguments = try fields["args"]?.texts() ?? []
    }
}

extension YAMLNode {
    /// An absolute path.
    fileprivate func path() throws(YAMLError) -> ByteString {
        let path = try text()
        guard path.isAbsolute else {
            throw YAMLError(line: line, reason: "\"\(path.text)\" is not an absolute path")
        }
        return path.withoutDots
    }
}
