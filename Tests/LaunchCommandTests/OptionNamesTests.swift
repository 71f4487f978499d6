// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import LaunchCommand
@testable import NamespaceKit

/// The library's words are put into the command line's options, each of them and none misspelt.
@Suite struct OptionNamesTests {
    private func words(_ vocabulary: OptionNames) -> [(name: String, word: String)] {
        Mirror(reflecting: vocabulary).children.compactMap { child in
            guard let name = child.label, let word = child.value as? String else { return nil }
            return (name, word)
        }
    }

    @Test func everyWordIsTheCommandLines() {
        for (library, option) in zip(words(OptionNames()), words(.commandLine)) {
            #expect(option.word != library.word, "\(library.name)")
        }
        #expect(!words(.commandLine).isEmpty)
    }

    @Test func everyOptionThatIsNamedExists() {
        for (name, text) in words(.commandLine) {
            for word in text.split(separator: " ") where word.hasPrefix("--") {
                let known = OptionTable.options.contains {
                    $0.name.text == word || word == "--unshare-" && $0.name.text.hasPrefix(word)
                }
                #expect(known, "\(name): \(word)")
            }
        }
    }

    /// What other engines cannot honour is named as the user asked for it.
    @Test func everyFeatureOfAnEngineIsNamed() {
        let library = OptionNames().features
        let options = OptionNames.commandLine.features
        #expect(library.count == EngineFeature.allCases.count)
        #expect(options.count == EngineFeature.allCases.count)
        for feature in EngineFeature.allCases {
            let text = options[feature.rawValue]
            #expect(text == "a root by descriptor" || text != library[feature.rawValue])
            for word in text.split(separator: " ") where word.hasPrefix("--") {
                #expect(OptionTable.options.contains { $0.name.text == word }, "\(word)")
            }
        }
    }

    /// Refusals name a namespace behind this word.
    @Test(arguments: NamespaceSet.names.map(\.1).filter { $0 != "mount" })
    func everyNamespaceHasItsOption(name: String) {
        #expect(OptionTable.find(Array((OptionNames.commandLine.unshare + name).utf8)[...]) != nil)
    }
}
