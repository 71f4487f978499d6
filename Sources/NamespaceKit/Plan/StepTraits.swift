// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What is to be known of a step besides how the executor does it, all in one place: its words, what the command sees of
/// it, what other engines make of it, and what its failure means. Looked at where a plan is shown or has failed.
struct StepTraits {
    /// What it does, as an infinitive: `bind-mount /a onto /b`.
    var words: String
    /// The same without its details, for errors.
    var plainWords: String
    /// Where in the new root it works.
    var target: ByteString?
    /// It changes what is mounted.
    var mounts = false
    /// What the command finds of it, in order.
    var shows: [MountTree.Change] = []
    var elsewhere = Elsewhere.nothing
    var failure = Failure.ofStep
    /// Its failure may be the root's: it reads files of that.
    var readsRoot = false
    /// The file or directory of the host that it is about.
    var hostObject: ByteString?
    /// For the errors that it means something by, before what is said of them anyway.
    var remedies: [(codes: [Int32], text: String)] = []

    /// What an engine does that cannot mount.
    enum Elsewhere {
        /// The view has what is seen of it, or it was asked for by nobody: ``EngineRun/losses`` names it; what asks for it
        /// in so many words, ``EngineFeature`` refuses.
        case nothing
        /// The run is refused.
        case refused
        /// The same.
        case same
        case view([EngineView.Part])
    }

    /// What the executor's record of a failure is read as.
    enum Failure {
        case ofStep
        case namespaces(NamespaceSet)
        case idMap(ByteString)
        case nestedAllowed
        case entering(Int32, NamespaceSet)
        case proc(ByteString)
        case program([ByteString])
        case image(Step.Image)
        case glibc(HostDevices.Need)
        case emulator
        case group(ByteString, folder: ByteString)
        case sharing
        case directory([ByteString])
        case overlay(Step.Overlay)
        case rootfs(String)
        case hidden(ByteString)
    }

    init(_ words: String, plain: String? = nil) {
        self.words = words
        plainWords = plain ?? words
    }
}

extension Step {
    var description: String { traits().words }
    var plainDescription: String { traits().plainWords }
    var target: ByteString? { traits().target }
    var mounts: Bool { traits().mounts }
}
