// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the options of exec, run, shell and test come to, before the host is looked at.
struct ApptainerSettings: Equatable {
    struct Variable: Equatable {
        var name: ByteString
        var value: ByteString
    }

    var binds: [ApptainerBind] = []
    var directory: ByteString?
    /// Where the home comes from and where it is inside.
    var home: ApptainerBind?
    var hasHome = true
    var hasTemporary = true
    var hasCurrentDirectory = true
    var isContained = false
    var isClean = false
    var variables: [Variable] = []
    var environmentFiles: [ByteString] = []
    var showsNVIDIADriver = false
    var layer = LaunchRequest.Layer.readOnly
    var isRoot = false
    var namespaces: NamespaceSet = [.user, .mount]
    var hasNetwork = false
    var networkKind: ByteString?
    var hostname: ByteString?
    var workDirectory: ByteString?
    var scratch: [ByteString] = []
    var capabilities: [CapabilityChange] = []
    var devices: [ByteString] = []
    var hasInit = true
    var evaluates = true
    var keepsUmask = true
    var shell: ByteString?
    var hasHTTPS = true

    init(_ options: [ApptainerLine.Given]) throws(ApptainerError) {
        for given in options {
            switch given.option.id {
            case .general, .inspect, .instance, .cache: continue
            case .make(let option): if option == .noHTTPS { hasHTTPS = given.value != "true" }
            case .action(let option): try apply(option, given)
            }
        }
        if hasNetwork {
            guard networkKind == "none" else {
                throw ApptainerError(
                    "cannot make a network of the kind \(networkKind?.text ?? "bridge"): that takes root",
                    remedy: "--net --network none gives one with nothing but lo")
            }
        }
    }

    private mutating func apply(
        _ option: ApptainerOption.Action, _ given: ApptainerLine.Given
    ) throws(ApptainerError) {
        let value = given.value
        let isOn = value == "true"
        switch option {
        case .bind: binds += try ApptainerBind.parse(value, from: given.origin)
        case .mount: binds.append(try ApptainerBind.parse(mount: value, from: given.origin))
        case .directory: directory = value
        case .home:
            let found = try ApptainerBind.parse(value, from: given.origin)
            guard found.count == 1, !found[0].isReadOnly else {
                throw ApptainerError(
                    "cannot use \(given.origin.text) \(value.text): not SRC[:DEST]")
            }
            home = found[0]
        case .noHome: hasHome = !isOn
        case .contain: isContained = isContained || isOn
        case .containAll: if isOn { containAll() }
        case .cleanEnvironment: isClean = isClean || isOn
        case .environment: try addVariables(value, given.origin)
        case .environmentFile: environmentFiles.append(value)
        case .nvidia: showsNVIDIADriver = isOn
        case .writable: if isOn { try setLayer(.writable, given.origin) }
        case .memoryLayer: if isOn { try setLayer(.memory, given.origin) }
        case .overlay: try addOverlay(value, given.origin)
        case .fakeRoot: isRoot = isOn
        case .userNamespace, .underlay: break
        case .pid: change(.pid, isOn)
        case .network: hasNetwork = isOn
        case .networkKind: networkKind = value
        case .ipc: change(.ipc, isOn)
        case .uts: change(.uts, isOn)
        case .hostname: hostname = value
        case .workDirectory: workDirectory = value
        case .scratch: scratch += value.split(on: UInt8(ascii: ",")).filter { !$0.isEmpty }
        case .noMount: try leaveOut(value, given.origin)
        case .noPrivileges: if isOn { capabilities.append(.dropAll) }
        case .addCapabilities: try change(value, given.origin, adding: true)
        case .dropCapabilities: try change(value, given.origin, adding: false)
        case .device: devices += value.split(on: UInt8(ascii: ",")).filter { !$0.isEmpty }
        case .noInit: hasInit = !isOn
        case .noEvaluation: evaluates = !isOn
        case .noUmask: keepsUmask = !isOn
        case .compatible:
            guard isOn else { break }
            containAll()
            (hasInit, evaluates, keepsUmask) = (false, false, false)
            if layer == .readOnly { layer = .memory }
        case .shell: shell = value
        case .refused:
            guard value != "false" else { break }
            throw ApptainerError(
                "\(given.origin.text) is not among what nsrun does under the name of Apptainer",
                remedy: Self.remedy(for: given.option.name.text))
        }
    }

    private mutating func containAll() {
        isContained = true
        isClean = true
        namespaces.formUnion([.pid, .ipc])
    }

    private mutating func change(_ namespace: NamespaceSet, _ isOn: Bool) {
        if isOn { namespaces.insert(namespace) } else { namespaces.remove(namespace) }
    }

    /// What does the same, where something does.
    private static func remedy(for name: String) -> String? {
        switch name {
        case "unsquash": "unpack it once: apptainer build --sandbox DIR FILE"
        case "nvccli": "--nv shows the driver without nvidia-container-cli"
        case "rocm": "--bind /dev/kfd,/dev/dri and the libraries that the program needs"
        case "dns": "--bind FILE:/etc/resolv.conf"
        default: nil
        }
    }

    private mutating func setLayer(
        _ new: LaunchRequest.Layer, _ origin: ByteString
    ) throws(ApptainerError) {
        guard layer == .readOnly || layer == new else {
            throw ApptainerError(
                "\(origin.text) contradicts an earlier option",
                remedy: "one of --writable, --writable-tmpfs and --overlay")
        }
        layer = new
    }

    private mutating func addOverlay(_ value: ByteString, _ origin: ByteString)
        throws(ApptainerError)
    {
        let fields = value.split(on: UInt8(ascii: ":"))
        if fields.count > 1, fields[fields.count - 1] == "ro" {
            throw ApptainerError(
                "cannot use \(origin.text) \(value.text): nsrun has no read-only overlays",
                remedy: "--bind what is in it to its place")
        }
        try setLayer(.directory(value), origin)
    }

    /// pflag takes the whole for one variable where there is one sign of equality, and commas for separators where there
    /// are several.
    private mutating func addVariables(_ value: ByteString, _ origin: ByteString)
        throws(ApptainerError)
    {
        let signs = value.bytes.filter { $0 == UInt8(ascii: "=") }.count
        let parts = signs > 1 ? value.split(on: UInt8(ascii: ",")) : [value]
        for part in parts {
            guard let sign = part.firstIndex(of: UInt8(ascii: "=")), sign > 0 else {
                throw .usage(
                    "invalid argument \"\(value.text)\" for \"\(origin.text)\" flag: "
                        + "\(part.text) must be formatted as key=value")
            }
            variables.append(
                .init(name: part.slice(from: 0, to: sign), value: part.slice(from: sign + 1)))
        }
    }

    private mutating func leaveOut(_ value: ByteString, _ origin: ByteString) throws(ApptainerError)
    {
        for name in value.split(on: UInt8(ascii: ",")) {
            switch name {
            case "home": hasHome = false
            case "tmp": hasTemporary = false
            case "cwd": hasCurrentDirectory = false
            // nsrun mounts nothing of the kind by itself.
            case "hostfs", "bind-paths", "": continue
            default:
                throw ApptainerError(
                    "cannot use \(origin.text) \(name.text): nsrun does not leave that out",
                    remedy: "home, tmp or cwd")
            }
        }
    }

    private mutating func change(
        _ names: ByteString, _ origin: ByteString, adding: Bool
    ) throws(ApptainerError) {
        for name in names.split(on: UInt8(ascii: ",")) {
            if name == "all" || name == "ALL" {
                capabilities.append(adding ? .addAll : .dropAll)
                continue
            }
            guard let number = CapabilityChange.named(name) else {
                throw ApptainerError("cannot use \(origin.text) \(name.text): no such capability")
            }
            capabilities.append(adding ? .add(number) : .drop(number))
        }
    }
}
