// SPDX-License-Identifier: Apache-2.0

extension Diagnosis {
    /// The root's C library is too old for what the host brings along.
    func glibc(_ need: HostDevices.Need, _ record: Record) -> LaunchError {
        let what = "cannot show the NVIDIA driver"
        guard !record.text.isEmpty else {
            return LaunchError(
                .setup, "\(what): \(rootName) has no GNU C library",
                remedy: "the driver's libraries are built for it: take a rootfs of Debian, say",
                code: record.code)
        }
        let version = ByteString(bytes: record.text).text
        return LaunchError(
            .setup,
            "\(what): \(need.library.text) of this host needs glibc \(need.version.text), and "
                + "\(rootName) has \(version)",
            remedy: "take a rootfs of a newer release", code: record.code)
    }
}
