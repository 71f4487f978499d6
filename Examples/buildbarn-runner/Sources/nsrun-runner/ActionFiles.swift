// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore
import Glibc
import NamespaceKit

/// What a request names below the build directory, opened.
///
/// The build directory's own path is the administrator's, and trusted; it is looked up for each request, for
/// a worker may mount its file system there at any time. What lies below is not trusted: each path is looked
/// up once, below its directory, and whoever needs it afterwards gets the descriptor.
struct ActionFiles {
    let inputRoot: Descriptor
    let temporaryDirectory: Descriptor?
    let output: Descriptor
    let errors: Descriptor
    private let serverLogs: Descriptor?

    init(
        _ request: Buildbarn_Runner_RunRequest, of configuration: Configuration
    ) throws(RPCError) {
        let buildDirectory = try configuration.openBuildDirectory()
        func optional(_ path: String, of field: String) throws(RPCError) -> Descriptor? {
            if path.isEmpty { return nil }
            return try buildDirectory.open(path, of: field, as: RUNNER_DIRECTORY)
        }
        inputRoot = try buildDirectory.open(
            request.inputRootDirectory, of: "input_root_directory", as: RUNNER_DIRECTORY)
        // Looked up again by the action itself, which may go wherever it can; this is to refuse what
        // is no directory of the input root.
        _ = try inputRoot.open(
            request.workingDirectory, of: "working_directory", as: RUNNER_DIRECTORY,
            asRoot: configuration.chrootsIntoInputRoot)
        temporaryDirectory = try optional(request.temporaryDirectory, of: "temporary_directory")
        serverLogs = try optional(request.serverLogsDirectory, of: "server_logs_directory")
        output = try buildDirectory.open(
            request.stdoutPath, of: "stdout_path", as: RUNNER_NEW_FILE)
        errors = try buildDirectory.open(
            request.stderrPath, of: "stderr_path", as: RUNNER_NEW_FILE)
    }

    /// Writes down why an action was not launched, and what had been planned, where the worker takes it from
    /// for whoever asked for the action. No more can be done where that fails.
    func log(_ error: LaunchError, _ plan: LaunchPlan?) {
        guard
            let file = try? serverLogs?.open(
                "nsrun-runner", of: "server_logs_directory", as: RUNNER_NEW_FILE)
        else { return }
        var text = "\(error.message)\n"
        if let remedy = error.remedy { text += "  \(remedy)\n" }
        if let plan { text += "\n\(Explanation(plan).text)" }
        text.withUTF8 { _ = write(file.number, $0.baseAddress, $0.count) }
    }
}
