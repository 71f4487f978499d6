// SPDX-License-Identifier: Apache-2.0

/// What an entry of a layer removes, if that is what it is for. OCI image layer, "Whiteouts"
enum Whiteout: Equatable {
    /// `.wh.NAME`: the entry NAME beside it, from lower layers, is gone.
    case hides(EntryPath)
    /// `.wh..wh..opq`: everything from lower layers in this directory is gone.
    case opaque(EntryPath)
    /// Another `.wh..wh.` name: what AUFS kept for itself.
    case bookkeeping

    /// Nil for an ordinary entry.
    init?(of path: EntryPath) throws {
        let prefix = Array(".wh.".utf8)
        let name = path.name.bytes
        guard name.starts(with: prefix) else { return nil }
        let rest = ByteString(Array(name.dropFirst(prefix.count)))
        if rest == ByteString(".wh..opq") {
            self = .opaque(path.parent)
        } else if rest.bytes.starts(with: prefix) {
            self = .bookkeeping
        } else if [ByteString(""), ByteString("."), ByteString("..")].contains(rest) {
            throw RootFilesystemError(
                cannot: "extract", path.printable, because: "the whiteout does not name an entry",
                remedy: "the image tries to remove what is not its own: do not trust it")
        } else {
            self = .hides(path.parent.appending(rest))
        }
    }
}
