// SPDX-License-Identifier: Apache-2.0

import CHost

extension HostFacts {
    /// Where programs keep what they know between runs (XDG Base Directory Specification): what is named, else below the
    /// home that the user database knows, which is the same for all of the user's processes, and below what is called home
    /// here.
    var stateFolders: [ByteString] {
        if let given = variable("XDG_STATE_HOME"), given.isAbsolute { return [given] }
        let known = account ?? HostFacts.readAccount(user: userID, group: groupID)
        return [known?.home, home].compactMap { $0 }.filter { $0.isAbsolute }
            .map { $0.appending(path: ".local/state") }
    }
}

extension HostFile {
    /// Makes a directory, and so many above it, for their owner alone (mkdir(2)). Where that cannot be, whoever uses it
    /// notices.
    static func makePrivate(_ folder: ByteString, above: Int) {
        if above > 0, let parent = folder.parent { makePrivate(parent, above: above - 1) }
        _ = withCString(folder) { nsrun_make_directory($0, 0o700) }
    }
}
