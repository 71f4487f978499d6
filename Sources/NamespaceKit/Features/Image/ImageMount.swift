// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// What a root that is a squashfs needs before the launch: a mount by the kernel, or a server that waits for
/// the device which the run's set-up opens.
struct ImageMount {
    /// What the executor works with; the launcher closes it when the child has its copy.
    private(set) var descriptor: Int32 = -1
    /// Where the server complains, -1 for none.
    private(set) var complaints: Int32 = -1

    /// Prepares a plan that has such a root, and puts the descriptor into it.
    init(_ plan: inout LaunchPlan) throws(LaunchError) {
        for index in plan.steps.indices {
            guard case .image(var image) = plan.steps[index].action else { continue }
            try prepare(image)
            image.descriptor = descriptor
            plan.steps[index].action = .image(image)
            if complaints >= 0 { plan.launcherDescriptors.append(complaints) }
        }
    }

    private mutating func prepare(_ image: Step.Image) throws(LaunchError) {
        let file = withCString(image.path) { nsrun_open_for_reading($0) }
        guard file >= 0 else { throw Diagnosis.openImage(image.path, -file) }
        defer { closeDescriptor(file) }
        switch image.mounting {
        case .kernel:
            let mount = nsrun_mount_squashfs(file, image.offset)
            guard mount >= 0 else { throw Diagnosis.mountImage(image.path, -mount) }
            descriptor = mount
        case .server(let program):
            let error = start(program, image, file)
            guard error == 0 else { throw Diagnosis.startServer(of: image.path, -error) }
        }
    }

    private mutating func start(
        _ program: ByteString, _ image: Step.Image, _ file: Int32
    ) -> Int32 {
        var arguments = CStringArray()
        // Its name tells a list of processes what it serves.
        var words: [ByteString] = ["squashfuse_ll: " + image.path, "-f"]
        if image.offset > 0 { words += ["-o", ByteString("offset=\(image.offset)")] }
        words += ["/proc/self/fd/4", "/dev/fd/3"]
        for word in words { arguments.append(word) }
        var environment = CStringArray()
        // Of a server that is not the system's.
        let entry = HostFacts.environmentOnly.variable("LD_LIBRARY_PATH")
        if let entry { environment.append("LD_LIBRARY_PATH=" + entry) }
        defer {
            arguments.free()
            environment.free()
        }
        let (argv, envp) = (arguments.terminated(), environment.terminated())
        return withCString(program) {
            nsrun_start_image_server($0, argv, envp, file, &descriptor, &complaints)
        }
    }

    func closeAfterLaunch() {
        if descriptor >= 0 { closeDescriptor(descriptor) }
    }

    func close() {
        closeAfterLaunch()
        if complaints >= 0 { closeDescriptor(complaints) }
    }
}

extension Diagnosis.Record {
    /// Adds what the server of an image says, where it is the one that failed: it has ended then.
    mutating func addComplaint(from descriptor: Int32) {
        guard descriptor >= 0, call == NSRUN_CALL_CONTENT.rawValue,
            nsrun_poll3(descriptor, -1, -1, 1_000_000_000) != 0
        else { return }
        if case .content(let bytes) = HostFile.read(descriptor: descriptor, limit: 4096) {
            text = bytes
        }
    }
}
