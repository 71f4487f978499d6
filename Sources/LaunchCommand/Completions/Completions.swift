// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What the shells need to complete nsrun's command line, from the option table.
///
/// What changes on a machine they ask for themselves: the names in the store, nsrun for the presets, and a root for its
/// programs.
enum Completions {
    static var visible: [Option] {
        OptionTable.options.filter { $0.section != .hidden }
    }

    /// What the first argument of an option names.
    enum Kind {
        case none, directory, file
        /// A name in the store, or a directory or an image.
        case root
        case preset
        /// Of a group or a world that is kept.
        case kept
        case words([String])
        /// The part before `=`, of an argument that goes on behind it.
        case names([String])
    }

    static func kind(_ option: Option) -> Kind {
        switch option.id {
        case .root(.rootfs): .root
        case .root(.overlayDirectory), .process(.chdir): .directory
        case .process(.environmentFile), .process(.log), .mount(.bind), .mount(.bindTry),
            .mount(.roBind), .mount(.roBindTry), .mount(.devBind), .mount(.devBindTry),
            .root(.allowSocket), .root(.allowRead), .root(.allowWrite), .root(.hide):
            .file
        case .root(.architecture): .words(Architecture.all.map { $0.text.text })
        case .root(.emulator): .names(Architecture.all.map { $0.text.text })
        case .namespace(.network): .words(["host", "none", "pasta"])
        case .namespace(.capAdd), .namespace(.capDrop):
            .words(["ALL"] + CapabilityChange.names.map { $0.text })
        case .process(.rlimit): .names(ResourceLimit.resources.map { $0.0.text })
        case .process(.groupLimit): .names(["memory", "cpu", "pids", "io"])
        case .general(.preset): .preset
        case .general(.stop), .namespace(.join): .kept
        case .general(.engine): .words(Engine.allCases.map { $0.name } + ["auto"])
        case .general(.require): .words(["isolation"])
        case .general, .root, .mount, .namespace, .process, .report: .none
        }
    }

    /// The options of so many arguments.
    static func options(ofArity arity: Int) -> [Option] { visible.filter { $0.arity == arity } }

    static func names(_ options: [Option]) -> [String] { options.map { $0.name.text } }

    /// Where a root has its programs.
    static let programs = "usr/local/sbin usr/local/bin usr/sbin usr/bin sbin bin"
}
