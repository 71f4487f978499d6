// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the caller's environment says to Apptainer: `APPTAINER_BIND` is an option, `APPTAINERENV_X` the variable X inside.
/// `SINGULARITY` counts where `APPTAINER` says nothing.
struct ApptainerVariables {
    private let entries: [ByteString]

    init(_ entries: [ByteString]) { self.entries = entries }

    func value(of name: ByteString) -> ByteString? {
        let start = name + "="
        for entry in entries where entry.bytes.starts(with: start.bytes) {
            return entry.slice(from: start.count)
        }
        return nil
    }

    /// Under either name.
    func setting(_ name: ByteString, _ notes: inout ApptainerNotes) -> ByteString? {
        let (new, old) = ("APPTAINER_" + name, "SINGULARITY_" + name)
        return choose(value(of: new), value(of: old), new, old, &notes)
    }

    private func choose(
        _ value: ByteString?, _ older: ByteString?, _ new: ByteString, _ old: ByteString,
        _ notes: inout ApptainerNotes
    ) -> ByteString? {
        guard let older else { return value }
        guard let value else {
            notes.info("Environment variable \(old.text) is set, but \(new.text) is preferred")
            return older
        }
        if value != older {
            notes.warn("\(old.text) and \(new.text) have different values, using the latter")
        }
        return value
    }

    /// Options that no option says, in the table's order.
    func options(
        beside line: ApptainerLine, of verb: ApptainerVerb, _ notes: inout ApptainerNotes
    ) throws(ApptainerError) -> [ApptainerLine.Given] {
        var found: [ApptainerLine.Given] = []
        for option in ApptainerOptions.all
        where !option.verbs.isDisjoint(with: verb.options) && option.variable.utf8CodeUnitCount > 0
        {
            let isGiven = line.options.contains {
                $0.option.id == option.id && option.id != .action(.refused)
            }
            if isGiven, option.id != .action(.bind) { continue }
            for name in ByteString(stringLiteral: option.variable).split(on: UInt8(ascii: ",")) {
                guard var value = setting(name, &notes), !value.isEmpty else { continue }
                let origin = "APPTAINER_" + name
                if option.isFlag {
                    guard let truth = ApptainerParser.truth(value) else {
                        throw ApptainerError(
                            "cannot use \(origin.text)=\(value.text): it is neither true nor false")
                    }
                    value = truth ? "true" : "false"
                }
                found.append(.init(option: option, value: value, origin: origin))
                break
            }
            // The one that has two names, of which both count.
            if option.id == .action(.bind), let value = setting("BINDPATH", &notes), !value.isEmpty
            {
                found.append(.init(option: option, value: value, origin: "APPTAINER_BINDPATH"))
            }
        }
        return found
    }

    /// `APPTAINERENV_*` and `SINGULARITYENV_*`, without what stands before the names.
    func forwarded(_ notes: inout ApptainerNotes) -> [(name: ByteString, value: ByteString)] {
        var names: [ByteString] = []
        for prefix: ByteString in ["APPTAINERENV_", "SINGULARITYENV_"] {
            for entry in entries where entry.bytes.starts(with: prefix.bytes) {
                guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > prefix.count else {
                    continue
                }
                let name = entry.slice(from: prefix.count, to: sign)
                if !names.contains(name) { names.append(name) }
            }
        }
        var found: [(name: ByteString, value: ByteString)] = []
        for name in names {
            let (new, old) = ("APPTAINERENV_" + name, "SINGULARITYENV_" + name)
            guard let value = choose(value(of: new), value(of: old), new, old, &notes) else {
                continue
            }
            if name == "HOME" {
                let given = self.value(of: new) == nil ? old : new
                notes.warn(
                    "Overriding HOME environment variable with \(given.text) is not permitted")
                continue
            }
            found.append((name, value))
        }
        return found
    }
}
