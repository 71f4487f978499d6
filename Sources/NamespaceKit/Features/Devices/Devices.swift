// SPDX-License-Identifier: Apache-2.0

extension LaunchRequest {
    public struct Devices: Sendable, Equatable {
        /// Devices by their names in the Container Device Interface, `vendor.com/class=device`.
        public var names: [ByteString] = []
        /// Where their specifications are; empty for `/etc/cdi` and `/var/run/cdi`. Of two files that describe a device,
        /// the one in the directory that is named later counts.
        public var directories: [ByteString] = []
        /// Shows the host's NVIDIA driver without a specification: libraries, device nodes and tools.
        public var showsNVIDIADriver = false
        /// The root that this driver is looked for in; empty for the host's own. For tests.
        public var driverRoot: ByteString = ""

        public init() {}
    }
}
