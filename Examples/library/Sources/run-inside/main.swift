// SPDX-License-Identifier: Apache-2.0
//
// run-inside ROOTFS COMMAND [ARG...]: runs a command in a root file system, without a network, with
// one file of its own making, and says what it did.
import Glibc
import NamespaceKit

func run(_ command: [ByteString], in rootfs: ByteString) throws(LaunchError) -> ExitStatus {
    // What is wanted: nothing has been looked at yet.
    var request = LaunchRequest(command: command)
    request.root.view = .rootfs(try RootfsStore.locate(rootfs))
    request.network = .none
    request.program.environment.changes.append(.set(name: "GREETING", value: "/tmp/greeting"))
    request.files.operations.append(
        FileSystemOperation(
            .bindData(
                content: .bytes(Array("hello from the library\n".utf8)), target: "/tmp/greeting",
                mode: 0o644, readOnly: true)))

    // What will be done about it: a value that can be printed and compared.
    let facts = HostFacts.read(for: request)
    let plan = try Planner.plan(request, on: facts)
    print(Explanation(plan).text)
    fflush(nil)

    // Doing it.
    let process = try Launcher().launch(plan, facts: facts)
    return try process.wait()
}

let arguments = CommandLine.arguments.dropFirst().map { ByteString($0) }
guard arguments.count >= 2 else {
    print("usage: run-inside ROOTFS COMMAND [ARG...]")
    exit(125)
}
do throws(LaunchError) {
    let status = try run(Array(arguments.dropFirst()), in: arguments[0])
    print("ended: \(status)")
    exit(status.shellStatus)
} catch {
    print("run-inside: \(error.message)")
    if let remedy = error.remedy { print("  \(remedy)") }
    exit(error.exitStatus)
}
