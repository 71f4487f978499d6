// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

extension SquashfsImage {
    /// The root that is in a SIF; nil for a file that is none.
    init?(inSIF source: ImportSource) throws {
        guard let path = source.path, let reader = FileReader(ByteString(path)),
            let head = reader.read(0, SIFFile.headLength), SIFFile.isBegun(by: head)
        else { return nil }
        do {
            let part = try SIFFile(size: reader.size, read: reader.read).primary()
            self.init(path: path, name: source.name, file: source.file, offset: part.offset)
        } catch let fault as SIFFile.Fault {
            throw RootFilesystemError(
                cannot: "import", source.name, because: fault.cause, remedy: fault.remedy)
        }
    }
}
