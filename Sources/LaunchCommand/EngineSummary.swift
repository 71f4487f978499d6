// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the engines honour, from the one list that they refuse by: for the manual page, and for the table in
/// Documentation/engines.md, which a test compares with this.
enum EngineSummary {
    /// The engines that need no namespaces.
    static let others: [Engine] = [.fakechroot, .proot]

    /// What only namespaces and these of the others honour, as options.
    static func options(honouredBy engines: [Engine]) -> [String] {
        let names = OptionNames.commandLine.features
        var found: [String] = []
        for feature in EngineFeature.allCases {
            let honouring = others.filter { feature.isHonoured(by: $0) }
            if honouring == engines { found.append(names[feature.rawValue]) }
        }
        return found
    }

    /// As a sentence has them: `a, b and c`.
    static func list(_ words: [String]) -> String {
        var text = ""
        for (index, word) in words.enumerated() {
            if index > 0 { text += index == words.count - 1 ? " and " : ", " }
            text += word
        }
        return text
    }
}
