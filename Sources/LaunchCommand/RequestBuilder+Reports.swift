// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The options by which a run and its caller wait for and tell each other.
extension RequestBuilder {
    mutating func apply(_ option: OptionID.Report, _ parsed: ParsedOption) throws(UsageError) {
        func descriptor() throws(UsageError) -> Int32 { try Value.descriptor(parsed, 0) }
        switch option {
        case .levelPrefix: break  // see ParsedCommandLine.hasLevelPrefix
        case .infoFD: result.request.lifecycle.infoDescriptor = try descriptor()
        case .jsonStatusFD: result.request.lifecycle.statusDescriptor = try descriptor()
        case .syncFD: result.request.lifecycle.heldDescriptors.append(try descriptor())
        case .blockFD: result.request.lifecycle.startDescriptor = try descriptor()
        case .usernsBlockFD: result.request.lifecycle.mapsDescriptor = try descriptor()
        }
    }

    /// A seccomp program is a sequence of 8-byte instructions.
    mutating func addFilter(_ parsed: ParsedOption) throws(UsageError) {
        let descriptor = try Value.descriptor(parsed, 0)
        let isSingle = parsed.id == .namespace(.seccomp)
        if !result.request.program.filters.isEmpty, isSingle != hasSingleFilter {
            throw UsageError(
                "--seccomp cannot be combined with --add-seccomp-fd",
                bubblewrap: isSingle
                    ? nil : "--add-seccomp-fd cannot be combined with --seccomp")
        }
        if isSingle, !result.request.program.filters.isEmpty {
            if !personality.isBubblewrap {
                result.warnings.append("of several --seccomp options only the last one counts")
            }
            result.request.program.filters = []
        }
        hasSingleFilter = isSingle
        if exhausted.contains(descriptor) {
            throw UsageError(
                "\(parsed.origin.text): descriptor \(descriptor) has been read for another option",
                remedy: "give each filter a descriptor of its own",
                bubblewrap: "Can't read seccomp data: Bad file descriptor")
        }
        exhausted.append(descriptor)
        switch HostFile.read(descriptor: descriptor, limit: 65536 * 8) {
        case .failure(let reason, let remedy):
            throw UsageError(
                "\(parsed.origin.text): cannot read descriptor \(descriptor): \(reason)",
                remedy: remedy, bubblewrap: "Can't read seccomp data: \(reason)")
        case .content(let program):
            let isEmpty = program.isEmpty && !personality.isBubblewrap
            guard !isEmpty, program.count % 8 == 0 else {
                throw UsageError(
                    "\(parsed.origin.text): invalid seccomp data, must be multiple of 8",
                    bubblewrap: "Invalid seccomp data, must be multiple of 8")
            }
            result.request.program.filters.append(program)
            result.request.program.closedDescriptors.append(descriptor)
        }
    }
}
