import CNamespace

/// Where root file systems are kept by name: `$XDG_DATA_HOME/nsrun/rootfs`.
public enum RootfsStore {
    /// The directory that a word on the command line means: a path if it has a slash, else a name in
    /// the store, else a directory of that name right here.
    public static func locate(_ word: ByteString) -> ByteString {
        if word.contains(UInt8(ascii: "/")) { return word }
        if word != ".", word != "..", let store = directory() {
            let path = store.appending(path: word)
            if HostFile.isDirectory(path) { return path }
        }
        return word
    }

    /// The store, `~/.local/share/nsrun/rootfs` by default; nil without a home.
    public static func directory() -> ByteString? {
        if let data = HostProcess.variable("XDG_DATA_HOME"), data.isAbsolute {
            return data.appending(path: "nsrun/rootfs")
        }
        guard let home = HostProcess.variable("HOME"), home.isAbsolute else { return nil }
        return home.appending(path: ".local/share/nsrun/rootfs")
    }
}
