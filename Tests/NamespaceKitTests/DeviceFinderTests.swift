// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// What devices come to, from specifications in directories of the test's own, over devices that every host has.
@Suite struct DeviceFinderTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func write(_ devices: String, to file: String = "a/v.yaml") throws {
        let text = "cdiVersion: 0.6.0\nkind: vendor.com/class\n" + devices
        try folder.write(Array(text.utf8), to: file)
    }

    private func device(_ edits: String, name: String = "x") -> String {
        "devices:\n- name: \(name)\n  containerEdits: {\(edits)}\n"
    }

    private func find(_ names: String..., in directories: [String] = ["a", "b"]) -> HostDevices {
        var request = LaunchRequest(command: ["true"])
        request.devices.names = names.map { ByteString("vendor.com/class=\($0)") }
        request.devices.directories = directories.map { folder[$0] }
        return DeviceFinder.find(for: request, on: .alice)
    }

    private func refusal(_ edits: String) throws -> String? {
        try write(device(edits))
        return find("x").refusal?.message
    }

    /// How all complaints about the file begin.
    private func complaint(line: Int = 5) -> String {
        "cannot give the device vendor.com/class=x: \(folder.path)/a/v.yaml, line \(line): "
    }

    // MARK: What is shown

    @Test func nodesMountsAndVariables() throws {
        try folder.write([], to: "file")
        try write(
            "containerEdits: {env: [A=1], deviceNodes: [{path: /dev/null}]}\n"
                + device(
                    "env: [B=2], deviceNodes: [{path: /dev/v, hostPath: /dev/zero, type: c, "
                        + "major: 1, minor: 5}], mounts: [{hostPath: \(folder.path)/file, "
                        + "containerPath: /opt/f, options: [ro, nosuid, nodev, rbind, rprivate, noexec]}]"
                ))
        var wanted = HostDevices()
        wanted.environment = ["A=1", "B=2"]
        wanted.places = [
            .init("/dev/null", "/dev/null", .devices), .init("/dev/zero", "/dev/v", .devices),
            .init(folder["file"], "/opt/f", [.readOnly, .noExecute]),
        ]
        #expect(find("x") == wanted)
        // What two devices have in common is there once.
        #expect(find("x", "x") == wanted)
    }

    @Test func whatTheHostsNodeHasDifferently() throws {
        try write(
            device(
                "deviceNodes: [{path: /dev/zero, fileMode: 0600, permissions: r, uid: 7}, "
                    + "{path: /dev/null, permissions: rwm}]"))
        let seen = find("x")
        #expect(seen.refusal == nil)
        #expect(
            seen.omissions.map { $0.what } == [
                "the mode 0600 of /dev/zero", "the owner of /dev/zero",
                "the permissions r of /dev/zero",
            ])
    }

    // MARK: Where from

    @Test func theLastDirectoryGoesFirst() throws {
        try write(device("env: [A=1]"), to: "a/v.yaml")
        try write(device("env: [A=2]"), to: "b/v.yaml")
        #expect(find("x").environment == ["A=2"])
        #expect(find("x", in: ["b", "a"]).environment == ["A=1"])
        #expect(find("x", in: ["a", "nowhere"]).environment == ["A=1"])
    }

    @Test func threeSuffixes() throws {
        for (name, file) in [("j", "a/1.json"), ("y", "a/2.yaml"), ("z", "a/3.yml")] {
            try write(device("env: [A=1]", name: name), to: file)
        }
        try write(device("env: [A=1]", name: "n"), to: "a/4.txt")
        #expect(find("j", "y", "z").refusal == nil)
        #expect(
            find("n").refusal?.lines == """
                cannot give the device vendor.com/class=n: no specification in \(folder.path)/a and \
                \(folder.path)/b has it
                  known are vendor.com/class=j, vendor.com/class=y, vendor.com/class=z
                """)
    }

    @Test func noSpecificationAtAll() {
        #expect(find("x").refusal?.remedy?.hasPrefix("there is none at all") == true)
    }

    @Test func twiceInOneDirectory() throws {
        try write(device("env: [A=1]"), to: "a/1.yaml")
        try write(device("env: [A=2]"), to: "a/2.yaml")
        #expect(
            find("x").refusal?.message
                == "cannot give the device vendor.com/class=x: both \(folder.path)/a/1.yaml and "
                + "\(folder.path)/a/2.yaml have it")
        // Another directory, which goes first, settles it.
        try write(device("env: [A=3]"), to: "b/3.yaml")
        #expect(find("x").environment == ["A=3"])
    }

    @Test func damageMattersWhereTheDeviceCouldComeFrom() throws {
        try folder.write(Array("cdiVersion: 0.6.0\nkind: other.com/class\n".utf8), to: "a/o.yaml")
        try folder.write(Array("kind: vendor.com/class\ndevices: 3".utf8), to: "a/v.yaml")
        #expect(
            find("x").refusal?.message
                == complaint(line: 1) + "the field cdiVersion is missing")
        try folder.write(Array("{".utf8), to: "a/w.yaml")
        try write(device("env: [A=1]"))
        #expect(find("x").environment == ["A=1"])
        #expect(find("y").refusal?.message.contains("/a/w.yaml, line 2: ") == true)
        try folder.link("a/w.yaml.link.yaml", to: "/dev/zero")
        #expect(find("x").refusal == nil)
    }

    @Test func namesThatAreNone() {
        var request = LaunchRequest(command: ["true"])
        request.devices.names = ["/dev/fuse"]
        let refusal = DeviceFinder.find(for: request, on: .alice).refusal
        #expect(refusal?.kind == .usage)
        #expect(
            refusal?.lines == """
                cannot give the device /dev/fuse: that is no name of a device
                  by the Container Device Interface it is called vendor.com/class=name; a plain device \
                is bound by BindOptions.devices
                """)
    }

    @Test func theDoctorListsThem() throws {
        func finding() -> Doctor.Finding {
            Doctor.devices(DeviceRegistry(directories: [folder["a"], folder["b"]]))
        }
        #expect(
            finding().text
                == "ok      devices (CDI): none in \(folder.path)/a and \(folder.path)/b\n")
        try write(device("env: [A=1]"))
        #expect(finding().text == "ok      devices (CDI): vendor.com/class=x\n")
        try folder.write(Array("{".utf8), to: "b/w.yaml")
        #expect(!finding().works && finding().detail.contains("/b/w.yaml, line 2: "))
    }

    // MARK: Refusals

    @Test(arguments: [
        ("deviceNodes: [{path: /dev/nosuch}]", "/dev/nosuch does not exist on this host"),
        ("mounts: [{hostPath: /no, containerPath: /no}]", "/no does not exist on this host"),
        ("deviceNodes: [{path: /etc}]", "/etc is no device"),
        ("deviceNodes: [{path: /dev/zero, type: b}]", "/dev/zero is a device of the kind c"),
        (
            "deviceNodes: [{path: /dev/zero, major: 195, minor: 0}]",
            "/dev/zero is the device 1:5, not 195:0"
        ),
        ("intelRdt: {closID: x}", "intelRdt cannot be done by an ordinary user"),
        ("netDevices: []", "netDevices cannot be done by an ordinary user"),
        (
            "mounts: [{hostPath: /etc, containerPath: /x, options: [size=1m]}]",
            "the mount option size=1m is not done"
        ),
        (
            "mounts: [{hostPath: tmpfs, containerPath: /x, type: tmpfs}]",
            "\"tmpfs\" is not an absolute path"
        ),
        (
            "mounts: [{hostPath: /etc, containerPath: /x, type: tmpfs}]",
            "a mount of the type tmpfs is not done"
        ),
        (
            "hooks: [{hookName: createContainer, path: /usr/bin/nvidia-cdi-hook, "
                + "args: [nvidia-cdi-hook, enable-cuda-compat, --host-driver-version=1, a, b]}]",
            "the hook nvidia-cdi-hook enable-cuda-compat --host-driver-version=1 a is not done"
        ),
        (
            "hooks: [{hookName: prestart, path: /opt/v/setup}]", "the hook setup is not done"
        ),
    ])
    func whatCannotBeDoneIsNamed(edits: String, reason: String) throws {
        #expect(try refusal(edits) == complaint() + reason)
    }

    @Test func groupsOfOthers() throws {
        let own = HostFacts.readGroupIDs()
        let other = (50000...).first { !own.contains($0) }!
        #expect(
            try refusal("additionalGids: [\(other)]")
                == "cannot give the device vendor.com/class=x: it is for members of the group "
                + "\(other), which you are not")
        #expect(try refusal("additionalGids: [\(HostFacts.alice.groupID)]") == nil)
        if let first = own.first { #expect(try refusal("additionalGids: [\(first)]") == nil) }
    }

    // MARK: Libraries

    /// A library that every host of the tests has.
    static let math: String = {
        for directory in ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"] {
            let path = directory + "/libm.so.6"
            if FileManager.default.fileExists(atPath: path) { return path }
        }
        return "/lib/libm.so.6"
    }()

    private static func hook(_ words: String) -> String {
        "hooks: [{hookName: createContainer, path: /usr/bin/nvidia-ctk, args: [nvidia-ctk, hook, "
            + "\(words)]}]"
    }

    @Test func librariesOfAFolderAreListed() throws {
        let mounts =
            "mounts: [{hostPath: \(Self.math), containerPath: /opt/v/libm-1.so}, "
            + "{hostPath: /etc/passwd, containerPath: /opt/v/passwd}, "
            + "{hostPath: \(Self.math), containerPath: /elsewhere/libm.so.6}]"
        try write(
            device(mounts + ", " + Self.hook("update-ldcache, --folder, /opt/v, --folder, /no")))
        let seen = find("x")
        let flags = try #require(LibraryFile(path: ByteString(Self.math))).flags
        #expect(
            seen.libraries == [.init(name: "libm.so.6", path: "/opt/v/libm.so.6", flags: flags)])
        #expect(seen.links == [.init(text: "libm-1.so", target: "/opt/v/libm.so.6")])
    }

    @Test func librariesOfADirectoryAreListed() throws {
        try folder.write(Array(try Data(contentsOf: URL(filePath: Self.math))), to: "lib/sub/m.so")
        try folder.write(Array("text".utf8), to: "lib/sub/n.so")
        try write(
            device(
                "mounts: [{hostPath: \(folder.path)/lib, containerPath: /opt/v}], "
                    + Self.hook("update-ldcache, --folder, /opt/v/sub")))
        let seen = find("x")
        #expect(seen.libraries.map { $0.name } == ["libm.so.6"])
        #expect(seen.libraries.map { $0.path } == ["/opt/v/sub/m.so"])
        #expect(seen.links == [])
    }

    @Test func linksAreMade() throws {
        try write(
            device(
                "deviceNodes: [{path: /dev/zero}], "
                    + Self.hook("create-symlinks, --link, \"a::/opt/b\", --link, \"c::/dev/zero\""))
        )
        // What is shown there already needs no link.
        #expect(find("x").links == [.init(text: "a", target: "/opt/b")])
    }

    /// A root's own libraries of a newer driver.
    @Test(arguments: [
        ("560.1", "545.23.06", true), ("545.29", "545.23.06", false), ("535.1", "545.23.06", false),
    ])
    func newerLibrariesOfTheRoot(own: String, driver: String, isUsed: Bool) throws {
        let compat = "root/usr/local/cuda/compat"
        try folder.write(
            Array(try Data(contentsOf: URL(filePath: Self.math))), to: "\(compat)/libcuda.so.\(own)"
        )
        try folder.link("\(compat)/libm.so.6", to: "libcuda.so.\(own)")
        try folder.link("\(compat)/out.so", to: "/../../../../../../../../etc/passwd")
        try write(
            device(
                "mounts: [{hostPath: \(Self.math), containerPath: /opt/v/libm.so.6}], hooks: ["
                    + "{hookName: x, path: /bin/nvidia-cdi-hook, args: [x, update-ldcache, "
                    + "--folder, /opt/v]}, {hookName: x, path: /bin/nvidia-cdi-hook, args: [x, "
                    + "enable-cuda-compat, --host-driver-version=\(driver)]}]"))
        var request = LaunchRequest(command: ["true"])
        request.devices.names = ["vendor.com/class=x"]
        request.devices.directories = [folder["a"]]
        // The host's libraries are the driver's, and what a squashfs holds is not seen.
        var facts = HostFacts.alice
        #expect(DeviceFinder.find(for: request, on: facts).omissions.count == 1)
        request.root.view = .rootfs(folder["root"])
        let seen = DeviceFinder.find(for: request, on: facts)
        let place: ByteString = isUsed ? "/usr/local/cuda/compat" : "/opt/v"
        #expect(seen.libraries.map(\.path) == [place.appending(path: "libm.so.6")])
        #expect(seen.omissions.isEmpty == isUsed)
        facts.rootImage = .refused(LaunchError(.setup, "x"))
        #expect(
            DeviceFinder.find(for: request, on: facts).libraries.map(\.path) == ["/opt/v/libm.so.6"]
        )
    }
}
