// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Where root file systems are kept by name: `$XDG_DATA_HOME/nsrun/rootfs`.
public enum RootfsStore {
    /// The root that a word on the command line means: a path if it has a slash (or is `.` or `..`), else a
    /// name in the store. Never one for the other.
    public static func locate(_ word: ByteString) throws(LaunchError) -> ByteString {
        if word.contains(UInt8(ascii: "/")) || word == "." || word == ".." { return word }
        let store = directory()
        if let store, HostFile.isDirectory(store.appending(path: word)) {
            return store.appending(path: word)
        }
        throw LaunchError(
            .usage, "cannot use the rootfs \(word.text): \(absence(from: store))",
            remedy: remedy(for: word, in: store), code: ENOENT)
    }

    /// The store, `~/.local/share/nsrun/rootfs` by default; nil without a home.
    public static func directory() -> ByteString? {
        if let data = HostProcess.variable("XDG_DATA_HOME"), data.isAbsolute {
            return data.appending(path: "nsrun/rootfs")
        }
        let home = HostProcess.variable("HOME") ?? AccountFile.callersHome
        guard let home, home.isAbsolute else { return nil }
        return home.appending(path: ".local/share/nsrun/rootfs")
    }

    /// What is meant by a word that stands where the command should; nil where it is no name of a root.
    public static func hint(for word: ByteString) -> String? {
        if word.isEmpty || word.contains(UInt8(ascii: "/")) { return nil }
        if let store = directory(), HostFile.isDirectory(store.appending(path: word)) {
            return "for a shell in the rootfs of that name: nsrun --rootfs \(word.text)"
        }
        guard suites.contains(word) else { return nil }
        return
            "for a shell in a Debian of that name: nsrun-rootfs debian \(word.text) \(word.text), then "
            + "nsrun --rootfs \(word.text)"
    }

    // MARK: A name that is not there

    /// That there is no root of a name, after a colon.
    public static func absence(from store: ByteString?) -> String {
        guard let store else { return "there is no store: HOME is not set" }
        return "there is none of that name in the store \(store.text)"
    }

    /// What the user may have meant instead.
    public static func remedy(for word: ByteString, in store: ByteString?) -> String {
        if !word.isEmpty, HostFile.exists(ByteString("./") + word) {
            return "for the one in the current directory write ./\(word.text)"
        }
        if suites.contains(word) {
            return "make it: nsrun-rootfs debian \(word.text) \(word.text)"
        }
        if let near = nearest(to: word, in: store) { return "did you mean \(near.text)?" }
        if let suite = nearestSuite(to: word) {
            return
                "did you mean the release \(suite.text)? Make it: nsrun-rootfs debian \(suite.text) "
                + suite.text
        }
        return "nsrun-rootfs list shows what there is; a path has a slash in it"
    }

    /// Releases that Debian's mirrors carry.
    private static let suites: [ByteString] = [
        "bullseye", "bookworm", "trixie", "forky", "duke", "sid", "oldoldstable", "oldstable",
        "stable", "testing", "unstable", "experimental",
    ]

    /// The release that a word may have been meant for, a letter off.
    public static func nearestSuite(to word: ByteString) -> ByteString? {
        guard word.count > 2, word.count <= 128 else { return nil }
        return suites.first { $0 != word && word.distance(to: $0) <= 2 }
    }

    private static func nearest(to word: ByteString, in store: ByteString?) -> ByteString? {
        guard let store, word.count <= 128 else { return nil }
        var best: (distance: Int, name: ByteString)?
        for name in HostFile.names(in: store)
        where name.first != UInt8(ascii: ".") && HostFile.isDirectory(store.appending(path: name)) {
            let distance = word.distance(to: name)
            if distance < best?.distance ?? Int.max { best = (distance, name) }
        }
        return best.flatMap { $0.distance <= max(1, word.count / 3) ? $0.name : nil }
    }
}
