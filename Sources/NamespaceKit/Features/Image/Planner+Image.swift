// SPDX-License-Identifier: Apache-2.0

/// A root that is a squashfs: mounted first, and then perhaps a layer over it.
extension Planner {
    var image: RootImage? {
        if case .image(let image) = facts.rootImage { image } else { nil }
    }

    /// A layer lies only over a mount of this run's own namespace, which one of the kernel's becomes when it is
    /// attached.
    static func layersKernelImage(_ request: LaunchRequest, _ facts: HostFacts) -> Bool {
        guard case .image(let image) = facts.rootImage, image.mounting == .kernel else {
            return false
        }
        return request.root.layer != .readOnly
    }

    func checkImage() throws(LaunchError) {
        if case .refused(let error) = facts.rootImage { throw error }
        if let image, request.root.layer == .writable { throw .writableImage(image.path) }
    }

    mutating func planImage(_ image: RootImage) {
        add(.image(.init(image)), word(words.rootfs))
        if image.signatures > 0 {
            omit("the signatures of " + image.path, "they are not verified")
        }
        func layer(_ upper: FileSystemOperation.OverlayUpper, _ origin: String) {
            add(
                .overlay(.init(target: "/", lower: [image.path], upper: upper, liesOverRoot: true)),
                word(origin))
        }
        switch request.root.layer {
        case .readOnly, .writable: break
        case .memory: layer(.memory, words.ephemeral)
        case .directory(let directory): layer(layered(directory), words.overlayDirectory)
        }
    }

    /// Almost every program starts with the C library and its loader, which a server hands out piece by piece,
    /// each asked for when it is needed. Read whole they are there before, with each block decompressed once.
    mutating func planReadAhead() {
        guard case .server = image?.mounting else { return }
        let loader: ByteString =
            facts.machine == "x86_64"
            ? "ld-linux-x86-64.so.2" : "ld-linux-" + facts.machine + ".so.1"
        let directories: [ByteString] = ["/lib/" + facts.machine + "-linux-gnu", "/lib64", "/lib"]
        add(
            .readAhead(
                directories.map { $0.appending(path: "libc.so.6") },
                with: directories.map { $0.appending(path: loader) }))
    }

    /// FUSE takes owners for ids of the user namespace that it is mounted in. In an image all files are root's, or mostly,
    /// or else somebody's: with the caller as him in that namespace they are the caller's, as those of a directory would
    /// be, and the command lives in a namespace below, as who it is.
    var imageOwner: RootImage.Owner? {
        guard let image, case .server = image.mounting, request.namespaces.new.contains(.user),
            request.namespaces.enteredUser == nil, request.lifecycle.mapsDescriptor == nil
        else { return nil }
        return image.owner ?? .init(user: 0, group: 0)
    }
}

extension LaunchError {
    fileprivate static func writableImage(_ path: ByteString) -> LaunchError {
        LaunchError(
            .usage, "the rootfs \(path.text) cannot be writable: it is a squashfs",
            remedy:
                "\(OptionNames.current.memoryLayer) or an overlay directory for changes, or unpack "
                + "it: nsrun-rootfs import")
    }
}
