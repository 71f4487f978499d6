// SPDX-License-Identifier: Apache-2.0

import CNamespace
import CRootFilesystem
import Glibc
import NamespaceKit

/// What older versions kept beside the roots of a store: `STORE/NAME.image`, `STORE/NAME.packages`.
///
/// Where a root still has such records, they are moved into it when they are first needed. They are believed as
/// ``RootRecord`` says, and go with the root of that name.
struct LegacyRecords {
    let store: RootFilesystemStore
    let name: String

    func read(_ record: RecordFile) -> RootRecord.Finding {
        RootRecord.readBeside(
            record.name, ByteString(name), in: ByteString(store.directory), limit: record.largest)
    }

    /// Moves what is there into the root that is open, and gives what it said of `wanted`.
    func adopt(_ wanted: RecordFile, into root: Descriptor, _ path: String) -> RootRecord.Finding {
        var records: [(file: RecordFile, bytes: [UInt8])] = []
        for record in RecordFile.allCases {
            guard case .content(let bytes) = read(record),
                record.read(in: root, path) == .none
            else { continue }
            records.append((record, bytes))
        }
        let finding = read(wanted)
        guard !records.isEmpty else { return finding }
        do {
            try RecordFile.write(records, into: root, path, fresh: false)
            for record in RecordFile.allCases {
                if case .content = read(record) { remove(record) }
            }
            // Such a store was made when its own mode kept nobody out.
            store.close()
        } catch {
            // A root that cannot be written to keeps them where they are.
        }
        return finding
    }

    /// Removes them: their root is gone, or another one is to have its name.
    func remove() {
        for record in RecordFile.allCases { remove(record) }
    }

    private func remove(_ record: RecordFile) {
        let path = "\(store.directory)/\(name).\(record.name.text)"
        var status = stat()
        if lstat(path, &status) == 0, status.isRegularFile || status.isSymbolicLink { unlink(path) }
    }
}
