// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

extension LaunchRequest {
    /// An action, as NamespaceKit launches it, in a network of its own or in that of whoever launches it.
    init(
        _ request: Buildbarn_Runner_RunRequest, with files: ActionFiles,
        of configuration: Configuration, ownNetwork: Bool
    ) {
        self.init(command: request.arguments.map { ByteString($0) })
        apply(.action)
        let inputRoot = ByteString(configuration.buildDirectory)
            .appending(path: ByteString(request.inputRootDirectory))
        var directory: ByteString = "/"
        if configuration.chrootsIntoInputRoot {
            root.view = .rootfs(inputRoot)
            root.descriptor = files.inputRoot.number
        } else {
            root.layer = .readOnly  // which is the host's root as it is
            hideOthers(configuration)
            bind(files.inputRoot, inputRoot)
            directory = inputRoot
        }
        if let temporaryDirectory = files.temporaryDirectory { bind(temporaryDirectory, "/tmp") }
        program.workingDirectory = directory.appending(path: ByteString(request.workingDirectory))
        if !ownNetwork { network = .host }
        // System V's queues and shared memory lie in no directory.
        namespaces.new.insert(.ipc)
        lifecycle.newSession = true
        lifecycle.keyring = .own  // the runner's would be that of all actions
        program.environment.setsPWD = false
        program.environment.changes = request.environmentVariables.map {
            .set(name: ByteString($0.key), value: ByteString($0.value))
        }
        program.standardOutput = files.output.number
        program.standardError = files.errors.number
        program.startsClean = true
        // The worker, which may be somebody else, removes the input root.
        self.files.makesPlacesByUmask = true
    }

    /// What an action on the host's root must not find: the terminals and directories of other actions, and
    /// the runner, which would run anything for it in any of these directories.
    private mutating func hideOthers(_ configuration: Configuration) {
        let buildDirectory = ByteString(configuration.buildDirectory)
        let socket = ByteString(configuration.socket)
        files.operations = [
            .init(.dev(target: "/dev")),
            .init(.tmpfs(target: buildDirectory, mode: 0o755, size: nil)),
            .init(.bind(source: .path("/dev/null"), target: socket, options: .onlyIfPresent)),
        ]
    }

    private mutating func bind(_ source: Descriptor, _ target: ByteString) {
        files.operations.append(
            .init(.bind(source: .descriptor(source.number), target: target, options: [])))
    }
}
