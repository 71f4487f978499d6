// SPDX-License-Identifier: Apache-2.0

extension LaunchRequest {
    public struct Program: Sendable, Equatable {
        /// The program and its arguments; empty for the shell.
        public var command: [ByteString]
        /// What the program sees as its own name instead of `command[0]`.
        public var argument0: ByteString?
        public var environment = EnvironmentRequest()
        public var workingDirectory: ByteString?
        /// That is what an image says; for the words where it cannot be had.
        public var startsWhereImageSays = false
        /// The command is a program of the host's: started in a rootfs through the host's own loader and libraries below
        /// `/run/host`.
        public var runsHostProgram = false
        /// Emulators to register besides the one that the root's own programs call for.
        public var emulators: [EmulatorRequest] = []

        /// What becomes the command's standard input, output and error; nil for the caller's own.
        public var standardInput: Int32?
        public var standardOutput: Int32?
        public var standardError: Int32?
        /// The command gets no descriptor but standard input, output and error, and every signal does what it does by
        /// default: for a program that does not know all it would hand down.
        public var startsClean = false
        /// Descriptors of the caller's that the command does not get.
        public var closedDescriptors: [Int32] = []

        public var limits: [ResourceLimit] = []
        /// Which system calls it may make; the kernel asks the programs of ``filters``, too, and the sternest counts.
        public var systemCalls = SystemCallProfile.all
        /// Programs for seccomp(2), each a sequence of `struct sock_filter`.
        public var filters: [[UInt8]] = []
        /// The command's SELinux label.
        public var label: ByteString?

        public init(command: [ByteString] = []) { self.command = command }
    }
}

/// An architecture whose programs shall run, and perhaps by what.
public struct EmulatorRequest: Sendable, Equatable {
    /// As Debian, QEMU or uname(2) calls it: `armhf`, `arm` or `armv7l`.
    public var architecture: ByteString
    /// A static QEMU for user mode; nil to look for one.
    public var path: ByteString?

    public init(architecture: ByteString, path: ByteString? = nil) {
        self.architecture = architecture
        self.path = path
    }
}

/// The environment of the command: a start, then changes in order.
public struct EnvironmentRequest: Sendable, Equatable {
    public enum Start: Sendable, Equatable {
        case inherited
        /// HOME, PATH, TERM, LANG and USER only.
        case clean
        case empty
    }

    public enum Change: Sendable, Equatable {
        case set(name: ByteString, value: ByteString)
        case unset(name: ByteString)
        /// Forgets everything so far.
        case clear
    }

    public var start: Start = .inherited
    public var changes: [Change] = []
    /// PWD says where the command starts, as a shell would have it.
    public var setsPWD = true

    public init() {}
}

/// A limit of setrlimit(2).
public struct ResourceLimit: Sendable, Equatable {
    /// `RLIMIT_*`.
    public var resource: Int32
    public var soft: UInt64
    public var hard: UInt64
    /// A lower limit of the caller's stays.
    public var onlyLowers = false

    public static let unlimited = UInt64.max

    public init(resource: Int32, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// The limits by the names of setrlimit(2), in lower case and without `RLIMIT_`.
    public static func resource(named name: ByteString) -> Int32? {
        for (known, number) in resources where known == name { return number }
        return nil
    }

    public static let resources: [(ByteString, Int32)] = [
        ("cpu", 0), ("fsize", 1), ("data", 2), ("stack", 3), ("core", 4), ("rss", 5),
        ("nproc", 6), ("nofile", 7), ("memlock", 8), ("as", 9), ("locks", 10),
        ("sigpending", 11), ("msgqueue", 12), ("nice", 13), ("rtprio", 14), ("rttime", 15),
    ]
}
