import Foundation

/// Where a root file system is or is to be: a directory given by its path, or a name in the store.
public struct Destination: Equatable, Sendable {
    /// The absolute path of the directory.
    public let path: String
    /// As the user wrote it, for messages.
    public let label: String

    /// A path if there is a slash in `argument`, otherwise a name in `store`.
    public init(_ argument: String, store: RootFilesystemStore) throws {
        label = argument
        guard argument.contains("/") else {
            path = try store.path(of: argument)
            return
        }
        // Not URL's resolution: that would follow a symbolic link at the end too.
        let absolute =
            argument.hasPrefix("/")
            ? argument : FileManager.default.currentDirectoryPath + "/" + argument
        let names = absolute.split(separator: "/").filter { $0 != "." }
        guard let last = names.last, last != ".." else {
            throw RootFilesystemError(
                cannot: "use", argument, because: "it does not end in the name of a directory")
        }
        path = "/" + names.joined(separator: "/")
    }

    /// The directory that holds it.
    var parent: String { (path as NSString).deletingLastPathComponent }

    var name: String { (path as NSString).lastPathComponent }

    /// The record of where it came from and how to run it. ``ImageRecord``
    public var imagePath: String { path + ".image" }

    /// The record of which package has which file, if it was unpacked from packages.
    var packagesPath: String { path + ".packages" }

    public var image: ImageRecord {
        ImageRecord(decoding: (try? String(contentsOfFile: imagePath, encoding: .utf8)) ?? "")
    }

    /// Whether there is a directory.
    public var exists: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.isDirectory
    }

    /// Whether there is something already, other than an empty directory.
    var isTaken: Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        guard status.isDirectory,
            let names = try? FileManager.default.contentsOfDirectory(atPath: path)
        else { return true }
        return !names.isEmpty
    }

    var alreadyExists: RootFilesystemError {
        RootFilesystemError(
            cannot: "create", label, because: "it already exists",
            remedy: "choose another name, or remove it first: nsrun-rootfs remove \(label)")
    }
}
