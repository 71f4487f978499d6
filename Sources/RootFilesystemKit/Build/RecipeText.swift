// SPDX-License-Identifier: Apache-2.0

/// The text of a file that says how something is to be built.
enum RecipeText {
    /// `limit`: bytes that it has at most; `kind`: what it is called, as in `a Containerfile`.
    static func read(_ file: String, limit: Int, as kind: String) throws -> String {
        let bytes = try LimitedStream(FileStream(opening: file), limit: limit, name: file).readAll()
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw RootFilesystemError(
                cannot: "build", file, because: "it is no text: \(kind) is, in UTF-8")
        }
        return text
    }
}
