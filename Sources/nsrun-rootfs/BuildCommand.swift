// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RootFilesystemKit

struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Build a rootfs as a Containerfile says, without root.",
        discussion: """
            Known are FROM, RUN, COPY and ADD of local files, ENV, ARG, WORKDIR, USER, LABEL, SHELL, ENTRYPOINT, CMD, \
            stages, and .containerignore; EXPOSE, VOLUME, STOPSIGNAL, HEALTHCHECK and MAINTAINER mean nothing here. \
            What else there is is an error that names its line. FROM is a stage, scratch, a rootfs in the store, or \
            an image that skopeo fetches. What RUN has done is kept, and not done again where all before it is the same: \
            nsrun-rootfs remove --unused takes that away.
            """)

    @OptionGroup var common: CommonOptions
    @Option(
        help: ArgumentHelp(
            "A value for an ARG, as NAME=VALUE, or NAME for what the environment has; may be repeated.",
            valueName: "name=value"))
    var buildArg: [String] = []
    @Option(help: "Where COPY and ADD find files; by default the Containerfile's directory.")
    var context: String?
    @Option(help: "The architecture to build for, such as arm64.") var arch: String?
    @Option(
        help: ArgumentHelp(
            "Refuse images, and stages, that have more bytes together.", valueName: "size"))
    var maxSize: ByteCount?
    @Argument(help: "The Containerfile.") var file: String
    @Argument(help: "The rootfs to make.") var dest: String

    func run() throws {
        var builder = ImageBuilder(store: common.store, progress: common.progress)
        try builder.setArguments(buildArg)
        builder.context = context
        if let arch { builder.architecture = arch }
        if let maxSize { builder.maximumSize = maxSize.bytes }
        try builder.build(file, to: common.destination(dest))
    }
}
