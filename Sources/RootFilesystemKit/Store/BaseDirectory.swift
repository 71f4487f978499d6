// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Where a user has his files of one kind. XDG Base Directory Specification
enum BaseDirectory {
    case data
    case cache

    /// What the environment says, unless it is not absolute; else the usual place in the home.
    func path(_ environment: [String: String]) -> String {
        let (variable, place) =
            switch self {
            case .data: ("XDG_DATA_HOME", ".local/share")
            case .cache: ("XDG_CACHE_HOME", ".cache")
            }
        if let given = environment[variable], given.hasPrefix("/") { return given }
        let home =
            environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? FileManager.default.homeDirectoryForCurrentUser.path
        return "\(home)/\(place)"
    }
}
