// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// A root that is a squashfs, and does not become one.
extension Diagnosis {
    func image(_ image: Step.Image, _ record: Record) -> LaunchError {
        let what = "cannot use the rootfs \(image.path.text)"
        switch nsrun_call(rawValue: record.call) {
        case NSRUN_CALL_SOURCE:
            return error(
                "\(what): cannot open /dev/fuse", record.code,
                "ask the administrator for modprobe fuse and chmod 666 /dev/fuse, or \(Self.unpack)"
            )
        case NSRUN_CALL_CONTENT:
            // What it says last is often but a consequence.
            let lines = ByteString(bytes: record.text).split(on: UInt8(ascii: "\n"))
            let said = lines.first { !$0.isEmpty }?.text
            let isItsOwn = said != nil && said != "it cannot be started"
            return LaunchError(
                .setup, "\(what): squashfuse_ll does not serve it: \(said ?? "it has ended")",
                remedy: isItsOwn
                    ? "copy or make it again, or \(Self.unpack)"
                    : "copy or make it again, unless memory or open files were short; or \(Self.unpack)",
                code: record.code)
        default:
            return error(
                "\(what): mounting through FUSE is refused", record.code,
                "Linux 4.18 or newer allows it without root; or \(Self.unpack)")
        }
    }

    /// What cannot be decompressed fails wherever it is read.
    func damage(_ step: Step, _ record: Record) -> LaunchError? {
        guard record.code == EIO, let path = plan.image, readsRoot(step, record) else { return nil }
        return LaunchError(
            .setup, "cannot \(step.plainDescription): the squashfs \(path.text) is damaged",
            remedy: "copy or make it again", code: EIO)
    }

    /// The error may be the image's: a place of it was looked up, or a file of it read.
    private func readsRoot(_ step: Step, _ record: Record) -> Bool {
        if record.call == NSRUN_CALL_DESTINATION.rawValue { return true }
        return step.traits().readsRoot
    }

    private static let unpack = "unpack it: nsrun-rootfs import"

    static func openImage(_ path: ByteString, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot use the rootfs \(path.text): \(reason(code))",
            remedy: "it must be readable by you", code: code)
    }

    static func mountImage(_ path: ByteString, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup,
            "cannot use the rootfs \(path.text): the kernel does not mount it: \(reason(code))",
            remedy: "it is damaged, or compressed in a way that this kernel lacks; \(unpack)",
            code: code)
    }

    static func startServer(of path: ByteString, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot use the rootfs \(path.text): cannot start its server: \(reason(code))",
            remedy: Remedy.general(code, at: nil), code: code)
    }
}
