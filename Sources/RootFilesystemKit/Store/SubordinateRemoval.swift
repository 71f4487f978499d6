/// Removing files that belong to the caller's subordinate ids: only inside a user namespace that maps
/// those ids does the caller have power over them. subuid(5)
enum SubordinateRemoval {
    /// Removes what `TreeRemoval` could not.
    static func remove(_ path: String) throws {
        try NamespaceTool(power: .subordinateIDs)
            .run(["rm", "-rf", "--", path], cannot: "remove", path)
    }

    /// Removes a tree, whoever of the caller's ids its files belong to.
    static func removeAll(_ path: String) throws {
        do {
            try TreeRemoval.remove(path)
        } catch let error as RootFilesystemError {
            guard error.code == 1 || error.code == 13,
                NamespaceTool.Power.available() == .subordinateIDs
            else { throw error }
            try remove(path)
        }
    }
}
