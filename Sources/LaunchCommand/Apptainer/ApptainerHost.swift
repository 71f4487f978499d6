// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What of the caller and his host decides how Apptainer starts something; tests make one by hand.
struct ApptainerHost {
    var environment: [ByteString] = []
    /// What the user database says, whatever `$HOME` does.
    var home: ByteString = "/"
    /// Without links; nil where it cannot be told.
    var currentDirectory: ByteString?
    /// As the caller's shell calls it.
    var namedDirectory: ByteString?
    var hasSubordinateIDs = false
    var hasNVIDIADriver = false

    init() {}

    static func read(for settings: ApptainerSettings) -> ApptainerHost {
        var host = ApptainerHost()
        host.environment = HostProcess.environment
        let variables = ApptainerVariables(host.environment)
        let account = HostProcess.account?.home
        host.home = account ?? variables.value(of: "HOME") ?? "/"
        host.currentDirectory = HostProcess.currentDirectory
        host.namedDirectory = host.currentDirectory
        // PWD is believed where it leads to the same place.
        if let name = variables.value(of: "PWD"), name.isAbsolute, name == name.withoutDots,
            HostFile.canonicalPath(name) == host.currentDirectory
        {
            host.namedDirectory = name
        }
        if settings.isRoot { host.hasSubordinateIDs = HostProcess.hasSubordinateIDs }
        if settings.showsNVIDIADriver { host.hasNVIDIADriver = HostFile.exists("/dev/nvidiactl") }
        return host
    }

    /// As the caller means it.
    func absolute(_ path: ByteString) -> ByteString {
        path.isAbsolute ? path : (currentDirectory ?? "/").appending(path: path)
    }
}

/// A root to start something in.
struct ApptainerImage: Equatable {
    var path: ByteString
    /// A directory, of which more is known beforehand than of a file that has to be mounted.
    var isDirectory = false
    /// Nobody knows that it has no `/bin/sh`.
    var mayHaveShell = true
    /// There is something to be read into the environment.
    var hasScripts = true

    /// Finds what a word on the command line names.
    static func find(_ word: ByteString) throws(ApptainerError) -> ApptainerImage {
        if let scheme = scheme(of: word) {
            throw ApptainerError(
                "cannot look into \(word.text): nsrun has a copy made of what \(scheme.text) names first",
                remedy: "make one: apptainer pull FILE.sif \(word.text)")
        }
        guard let path = HostFile.canonicalPath(word), HostFile.exists(word) else {
            throw ApptainerError(
                "could not open image \(word.text): no such file or directory", remedy: nil)
        }
        var image = ApptainerImage(path: path)
        image.isDirectory = HostFile.isDirectory(path)
        if image.isDirectory {
            image.mayHaveShell = HostFile.isThere("/bin/sh", below: path)
            image.hasScripts = scripts.contains { HostFile.locate($0, below: path) != nil }
        }
        return image
    }

    private static let scripts: [ByteString] = [
        "/.singularity.d/env", "/.singularity.d/runscript", "/environment", "/singularity",
    ]

    /// `docker` of `docker://busybox`; nil for a path, which may have colons, too.
    static func scheme(of word: ByteString) -> ByteString? {
        if let colon = word.firstIndex(of: UInt8(ascii: ":")) {
            let scheme = word.slice(from: 0, to: colon)
            let known: [ByteString] = [
                "docker", "docker-archive", "docker-daemon", "http", "https", "instance", "library",
                "oci", "oci-archive", "oras", "shub",
            ]
            let rest = word.slice(from: colon)
            if known.contains(scheme),
                rest.hasPrefix("://") || scheme.hasPrefix("oci")
                    || scheme.hasPrefix("docker-")
            {
                return scheme
            }
        }
        return nil
    }
}
