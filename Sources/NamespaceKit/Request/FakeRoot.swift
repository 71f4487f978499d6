import CNamespace

/// The seccomp program by which calls of real root appear to succeed.
enum FakeRoot {
    static func filter(onlyDevices: Bool) throws(LaunchError) -> [UInt8] {
        let capacity = 65536
        var length = 0
        let program = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) {
                nsrun_fake_root_filter(onlyDevices, $0.baseAddress!, capacity)
            }
            count = max(0, length)
        }
        guard length > 0 else {
            throw LaunchError(
                .setup, "cannot make the seccomp filter: \(reason(Int32(-length)))",
                code: Int32(-length))
        }
        return program
    }
}
