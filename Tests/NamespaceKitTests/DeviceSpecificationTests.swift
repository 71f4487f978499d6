// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

@Suite struct DeviceSpecificationTests {
    private static let whole = """
        cdiVersion: 0.5.0
        kind: vendor.com/class
        annotations: {note: x}
        containerEdits:
          env: [A=1]
          additionalGids: [44]
        devices:
        - name: "0"
          containerEdits:
            deviceNodes:
            - path: /dev/v0
              hostPath: /dev//zero
              type: c
              major: 1
              minor: 5
              fileMode: 0666
              permissions: rw
              uid: 1
              gid: 2
            mounts:
            - {hostPath: /usr/lib/v.so, containerPath: /usr/lib/v.so, options: [ro, nosuid], type: bind}
            hooks:
            - hookName: createContainer
              path: /usr/bin/nvidia-ctk
              args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib]
              env: [X=1]
              timeout: 5
        """

    private func parse(_ text: String) throws(YAMLError) -> DeviceSpecification {
        try DeviceSpecification(file: "/v.yaml", try YAMLNode.parse(Array(text.utf8)))
    }

    @Test func everyFieldIsRead() throws {
        let specification = try parse(DeviceSpecificationTests.whole)
        #expect(specification.kind == "vendor.com/class")
        #expect(specification.edits.environment == ["A=1"])
        #expect(specification.edits.groups == [44])
        let device = try #require(specification.devices.first)
        #expect(device.name == "0" && specification.devices.count == 1)
        #expect(
            device.edits.nodes == [
                .init(
                    line: 11, path: "/dev/v0", hostPath: "/dev/zero", type: "c", major: 1, minor: 5,
                    permissions: "rw", mode: 0o666, user: 1, group: 2)
            ])
        #expect(
            device.edits.mounts == [
                .init(
                    line: 21, path: "/usr/lib/v.so", hostPath: "/usr/lib/v.so",
                    options: ["ro", "nosuid"], type: "bind")
            ])
        #expect(
            device.edits.hooks == [
                .init(
                    line: 23, name: "createContainer", path: "/usr/bin/nvidia-ctk",
                    arguments: ["nvidia-ctk", "hook", "update-ldcache", "--folder", "/usr/lib"])
            ])
    }

    @Test(arguments: DeviceSpecification.versions.map { $0.text })
    func versionsThatAreKnown(version: String) throws {
        _ = try parse("cdiVersion: \(version)\nkind: a.b/c\ndevices: []")
    }

    @Test(
        arguments: [
            (
                "cdiVersion: 2.0.0\nkind: a.b/c\ndevices: []", 1,
                "version 2.0.0 is none of 0.3.0 to 1.1.0"
            ),
            ("kind: a.b/c\ndevices: []", 1, "the field cdiVersion is missing"),
            ("cdiVersion: 0.5.0\ndevices: []", 1, "the field kind is missing"),
            ("cdiVersion: 0.5.0\nkind: a.b/c", 1, "the field devices is missing"),
            (
                "cdiVersion: 0.5.0\nkind: abc\ndevices: []", 2,
                "the kind \"abc\" is not of the form vendor.com/class"
            ),
            ("cdiVersion: 0.5.0\nkind: a.b/c\ndevices: {}", 3, "a list is wanted here"),
            ("cdiVersion: 0.5.0\nkind: a.b/c\ndevices:\n- x", 4, "an object is wanted here"),
            (
                "cdiVersion: 0.5.0\nkind: a.b/c\ncdiVersions: 1\ndevices: []", 3,
                "the field cdiVersions is not known here"
            ),
            (
                "cdiVersion: 0.5.0\nkind: a.b/c\ndevices:\n- {name: -x, containerEdits: {}}", 4,
                "\"-x\" cannot be the name of a device"
            ),
            (
                "cdiVersion: 0.5.0\nkind: a.b/c\ndevices:\n- {name: x, containerEdits: {}}\n"
                    + "- {name: x, containerEdits: {}}", 5, "the device x is there twice"
            ),
        ] as [(String, Int, String)])
    func defects(text: String, line: Int, reason: String) {
        #expect(throws: YAMLError(line: line, reason: reason)) { try parse(text) }
    }

    @Test(arguments: [
        ("env: [A]", "\"A\" is not of the form NAME=VALUE"),
        ("env: [=1]", "\"=1\" is not of the form NAME=VALUE"),
        ("env: [[A=1]]", "a text is wanted here"),
        ("deviceNodes: [{hostPath: /dev/x}]", "the field path is missing"),
        ("deviceNodes: [{path: dev/x}]", "\"dev/x\" is not an absolute path"),
        ("deviceNodes: [{path: /dev/x, type: x}]", "\"x\" is no type of a device node"),
        ("deviceNodes: [{path: /dev/x, major: many}]", "a number is wanted here"),
        ("deviceNodes: [{path: /dev/x, colour: 1}]", "the field colour is not known here"),
        ("mounts: [{hostPath: /x}]", "the field containerPath is missing"),
        ("mounts: [{hostPath: /x, containerPath: /x, options: ro}]", "a list is wanted here"),
        ("hooks: [{path: /x}]", "the field hookName is missing"),
        ("hooks: [{hookName: x, path: x}]", "\"x\" is not an absolute path"),
        ("additionalGids: [x]", "a number is wanted here"),
    ])
    func defectsOfEdits(edits: String, reason: String) {
        #expect(throws: YAMLError(line: 3, reason: reason)) {
            try parse("cdiVersion: 0.5.0\nkind: a.b/c\ncontainerEdits: {\(edits)}\ndevices: []")
        }
    }

    /// They matter to who asks for such a device, and to nobody else.
    @Test(arguments: ["intelRdt: {closID: x}", "netDevices: []"])
    func whatIsNotDoneIsRemembered(edit: String) throws {
        let name = ByteString(String(edit.prefix { $0 != ":" }))
        let specification = try parse(
            "cdiVersion: 1.1.0\nkind: a.b/c\ncontainerEdits: {\(edit)}\ndevices: []")
        #expect(specification.edits.unsupported == .init(line: 3, name: name))
    }

    @Test(arguments: [
        "vendor.com/class=0", "v/c=x", "nvidia.com/gpu=GPU-1:0", "a-b.c_d/e.f-g=all",
    ])
    func names(text: String) throws {
        #expect(try #require(DeviceName(ByteString(text))).text == text)
    }

    @Test(arguments: [
        "", "=", "vendor.com/class", "vendor.com/class=", "class=0", "vendor.com/=0", "/class=0",
        "vendor.com/a/b=0", "1.com/class=0", "vendor.com/class=-", "vendor.com/class=a=b",
        "vendor.com/cla ss=0", "/dev/fuse", "vendor.com/class=0\n",
    ])
    func noNames(text: String) {
        #expect(DeviceName(ByteString(text)) == nil)
    }

    // MARK: Hooks

    private func hook(_ program: String, _ words: String...) -> DeviceHook? {
        DeviceHook(
            .init(
                line: 1, name: "createContainer", path: ByteString("/usr/bin/\(program)"),
                arguments: [ByteString(program)] + words.map { ByteString($0) }))
    }

    @Test func linkerCaches() {
        let wanted = DeviceHook.linkerCache(folders: ["/usr/lib", "/opt/v"])
        #expect(
            hook("nvidia-ctk", "hook", "update-ldcache", "--folder", "/usr/lib", "--folder=/opt/v")
                == wanted)
        #expect(
            hook(
                "nvidia-cdi-hook", "update-ldcache", "--ldconfig-path", "/sbin/ldconfig",
                "--folder", "/usr/lib", "--folder", "/opt/v") == wanted)
        #expect(hook("ldconfig", "/usr/lib", "/opt/v") == wanted)
    }

    @Test func links() {
        #expect(
            hook(
                "nvidia-ctk", "hook", "create-symlinks", "--link",
                "libcuda.so.1::/usr/lib/libcuda.so",
                "--link=../card0::/dev/dri/by-path/a:b")
                == .links([
                    .init(text: "libcuda.so.1", target: "/usr/lib/libcuda.so"),
                    .init(text: "../card0", target: "/dev/dri/by-path/a:b"),
                ]))
    }

    @Test func whatChangesNothing() {
        #expect(
            hook("nvidia-ctk", "hook", "chmod", "--mode", "755", "--path", "/dev/dri")
                == .needless("directories have the mode 0755 anyway"))
        #expect(
            hook("nvidia-cdi-hook", "disable-device-node-modification")
                == .needless("no device node can be made here"))
    }

    @Test func newerDriversOfTheRoot() {
        #expect(
            hook("nvidia-cdi-hook", "enable-cuda-compat", "--host-driver-version=535.104.05")
                == .compatibility(driver: "535.104.05"))
    }

    @Test func othersAreNotDone() {
        #expect(hook("nvidia-ctk", "hook", "enable-cuda-compat", "--host-driver-version=1") == nil)
        #expect(hook("nvidia-ctk", "hook", "enable-cuda-compat") == nil)
        #expect(hook("nvidia-ctk", "hook", "chmod", "--mode", "666", "--path", "/dev/x") == nil)
        #expect(hook("nvidia-ctk", "hook", "create-symlinks", "--link", "a::b") == nil)
        #expect(hook("nvidia-ctk", "hook", "create-symlinks", "--link", "::/b") == nil)
        #expect(hook("nvidia-ctk", "hook", "update-ldcache", "/usr/lib") == nil)
        #expect(hook("nvidia-ctk", "hook", "update-ldcache", "--folder") == nil)
        #expect(hook("nvidia-ctk") == nil)
        #expect(hook("ldconfig", "-r", "/x") == nil)
        #expect(hook("sh", "-c", "update-ldcache") == nil)
    }
}
