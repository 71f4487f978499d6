// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RootFilesystemKit

struct Pack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pack programs with their rootfs: runs anywhere from its own folder.",
        discussion: """
            FILE unpacks to a folder in which bin/NAME runs the program, on any Linux of that \
            architecture, as any user, with nothing installed. NSRUN_ENGINE chooses how.
            """)

    @OptionGroup var common: CommonOptions
    @Option(
        help: ArgumentHelp(
            "A program of the rootfs, as NAME=/usr/bin/PROG; may be repeated.", valueName: "entry"))
    var entry: [String] = []
    @Option(help: "What the programs see at /tmp: private or host.") var tmp = PackTemporary.private
    @Flag(help: "Make one executable file, which unfolds itself into the user's cache.")
    var selfExtracting = false
    @Option(
        help: ArgumentHelp(
            "An option of nsrun for the programs, a word at a time: --option=--network --option=none.",
            valueName: "word"))
    var option: [String] = []
    @Option(help: "The static nsrun to pack.") var launcher: String?
    @Option(help: "The proot to pack.") var proot: String?
    @Argument(help: "The rootfs to pack.") var source: String
    @Argument(help: "The file to write.") var file: String

    func run() throws {
        var packer = Packer(progress: common.progress)
        packer.entries = try entry.map { try PackEntry($0) }
        packer.temporary = tmp
        packer.options = option
        packer.isSelfExtracting = selfExtracting
        packer.launcher = launcher
        packer.proot = proot
        for warning in try packer.pack(common.destination(source), to: file) {
            common.warn(warning)
        }
    }

    func validate() throws {
        if entry.isEmpty { throw ValidationError("a pack needs an --entry NAME=/usr/bin/PROG") }
    }
}

extension PackTemporary: ExpressibleByArgument {}
