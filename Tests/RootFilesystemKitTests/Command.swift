// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import RootFilesystemKit

/// The command as its users meet it, beside the test program, where the package manager builds it.
struct Command {
    let workspace: Workspace

    init(in workspace: Workspace) { self.workspace = workspace }

    static let program =
        ((CommandLine.arguments[0] as NSString).deletingLastPathComponent as NSString)
        .appendingPathComponent("nsrun-rootfs")

    /// Its own standard output and error together.
    func start(
        _ arguments: [String], in directory: String = "", environment: [String: String] = [:]
    ) throws -> (process: Process, output: Pipe) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: workspace(directory))
        process.environment = [
            "PATH": workspace("bin") + ":/usr/bin:/bin", "XDG_DATA_HOME": workspace("data"),
        ].merging(environment) { $1 }
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardError = output
        process.standardOutput = output
        try process.run()
        return (process, output)
    }

    func run(
        _ arguments: [String], in directory: String = "", environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let (process, output) = try start(arguments, in: directory, environment: environment)
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }
}
