import Foundation

/// Removing files that belong to the caller's subordinate ids: only inside a user namespace that
/// maps those ids does the caller have power over them. subuid(5)
enum SubordinateRemoval {
  static func remove(_ path: String, lock: Descriptor) throws {
    let launcher = ExternalTool(name: "nsrun", package: "nsrun", inherited: [lock])
    let command = ["--map-auto", "--uid", "0", "--gid", "0", "--", "rm", "-rf", "--", path]
    try launcher.run(command, cannot: "remove", path)
  }
}
