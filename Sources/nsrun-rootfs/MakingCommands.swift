// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RootFilesystemKit

struct Debian: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Build a Debian, without root.",
        discussion: """
            By mmdebstrap, inside namespaces of its own: with your ranges of /etc/subuid where you \
            have some, else with your one id and faked ownerships.
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: "Further packages, separated by commas.") var include: String?
    @Option(help: "The architecture, such as arm64.") var arch: String?
    @Option(help: "As mmdebstrap has them: minbase, standard, extract ...") var variant = "minbase"
    @Option(help: "Where to get it; by default what this host's apt uses.") var mirror: String?
    @Option(help: "A file of keys to trust.") var keyring: String?
    @Option(
        name: .customLong("run"),
        help: ArgumentHelp(
            "A script of this host, to run in the finished root as its root.", valueName: "script"))
    var script: String?
    @Argument(help: "The release, such as bookworm.") var suite: String
    @Argument(help: "The rootfs to make.") var dest: String

    func run() throws {
        var builder = DebianBuilder(progress: common.progress)
        builder.include = include?.split(separator: ",").map(String.init) ?? []
        builder.architecture = arch
        builder.variant = variant
        builder.mirror = mirror
        builder.keyring = keyring
        builder.script = script
        try builder.build(suite, to: common.destination(dest))
    }
}

struct Unpack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unpack Debian packages, without running their scripts.",
        discussion: "Into a rootfs that was unpacked before, the packages are added.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The rootfs to make or add to.") var dest: String
    @Argument(help: "Debian packages, in the order to unpack them.") var files: [String]

    func run() throws {
        let unpacker = PackageUnpacker(progress: common.progress)
        try unpacker.unpack(files, to: common.destination(dest))
    }
}

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a rootfs from an image, an archive, or another rootfs.",
        discussion: """
            SOURCE is a tar (not compressed, or by gzip, bzip2, xz, lzip, lz4 or zstd); a container image as docker, \
            podman, skopeo, crane and others save it, in an archive or a directory; a squashfs file; a SIF; a directory; a \
            rootfs in the store, by its name; - for standard input; or what skopeo fetches, with its policy and \
            logins: docker://NAME[:TAG][@DIGEST], docker-daemon:, containers-storage: and so on. What is none of these \
            is refused.
            """)

    @OptionGroup var common: CommonOptions
    @Option(
        help: ArgumentHelp(
            "Refuse a source whose files have more bytes together, holes in them included.",
            discussion: "A number, or one with K, M, G or T after it.", valueName: "size"))
    var maxSize: ByteCount?
    @Option(help: "The architecture to take from an image for several, such as arm64.")
    var arch: String?
    @Option(
        help: ArgumentHelp(
            "The image to take from a source with several.",
            discussion: "As they are called there, or the beginning of a digest.",
            valueName: "name[:tag]"))
    var image: String?
    @Option(
        help: ArgumentHelp(
            "With what nsrun --overlay-dir has kept there over the rootfs that is imported.",
            valueName: "dir"))
    var layer: String?
    @Argument(help: "What to import.") var source: String
    @Argument(help: "The rootfs to make.") var dest: String

    func run() throws {
        var importer = Importer(progress: common.progress)
        if let maxSize { importer.maximumSize = maxSize.bytes }
        if let arch { importer.architecture = arch }
        importer.image = image
        importer.layer = layer
        try importer.importRoot(
            ImportSource.path(of: source, in: common.store), to: common.destination(dest))
    }
}

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Pack a rootfs into a tar, a squashfs or a SIF; the same tree gives the same bytes.",
        discussion: """
            FILE ends in .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst, .squashfs or .sif. Modification times \
            after SOURCE_DATE_EPOCH, where that is set, become it. What is yours becomes root's; a tree \
            with files of your subordinate ids is read as root of a namespace that maps them.
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: "For a squashfs: lz4, zstd, gzip or xz.")
    var compression = Exporter.BlockCompression.lz4
    @Option(help: "For a squashfs: bytes in a block, a power of two.") var blockSize = 64 << 10
    @Argument(help: "The rootfs to pack.") var source: String
    @Argument(help: "The file to write.") var file: String

    func run() throws {
        let source = try common.destination(source)
        if try SubordinateReading.isNeeded(for: source) { try SubordinateReading.runAgain() }
        var exporter = Exporter(progress: common.progress)
        exporter.blockCompression = compression
        exporter.blockSize = blockSize
        try exporter.export(source, to: file)
    }
}

extension Exporter.BlockCompression: ExpressibleByArgument {}

struct Stage: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unpack an image once on this node, and print where.",
        discussion: """
            For nsrun --rootfs "$(nsrun-rootfs stage IMAGE DIR)" in every process of a job: the first one unpacks, others \
            wait for it, and later ones find the copy. It lies in DIR/nsrun-UID/NAME-HASH; a changed image has \
            another hash. Old copies stay until somebody removes them.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "A name in the store, or the path of what nsrun-rootfs import takes.")
    var image: String
    @Argument(help: "A directory on the node's own storage.") var dir: String

    func run() throws {
        var source = image
        if !image.contains("/") {
            let stored = try common.destination(image)
            guard stored.exists else { throw stored.notFound }
            source = stored.path
        }
        try printOutput(try Stager(progress: common.progress).stage(source, in: dir) + "\n")
    }
}
