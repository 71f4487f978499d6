// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// pull and build: nsrun-rootfs makes the image, and this process becomes it.
enum ApptainerMaking {
    static func run(
        _ verb: ApptainerVerb, _ line: ApptainerLine, _ notes: inout ApptainerNotes
    ) throws(ApptainerError) -> Int32 {
        let variables = ApptainerVariables(HostProcess.environment)
        let options = try variables.options(beside: line, of: verb, &notes) + line.options
        let words = try arguments(verb, line.words, options)
        notes.flush()
        try become("cannot \(verb.name.text) an image", "apptainer", words, notes)
    }

    /// `cache list` and `cache clean`.
    static func cache(
        _ verb: ApptainerVerb, _ line: ApptainerLine, _ notes: inout ApptainerNotes
    ) throws(ApptainerError) -> Int32 {
        var words: [ByteString] = verb == .cacheClean ? ["--clean"] : []
        if line.has(.verbose) { words.append("--verbose") }
        for given in line.options {
            guard case .cache(let option) = given.option.id else { continue }
            let isOn = given.value == "true"
            switch option {
            case .types: words.append("--types=" + given.value)
            case .days: words.append("--days=" + given.value)
            case .dryRun: if isOn { words.append("--dry-run") }
            case .force: if isOn { words.append("--force") }
            }
        }
        try become("cannot \(verb.name.text) the cache", "apptainer-cache", words, notes)
    }

    /// Has an image fetched that is elsewhere, into the cache; and then the same command line, with the image in the place of
    /// its name. `index` is where that stands among the arguments.
    static func fetch(
        _ options: [ApptainerLine.Given], at index: Int, _ notes: ApptainerNotes
    ) throws(ApptainerError) -> Never {
        var words: [ByteString] = []
        for given in options {
            guard case .make(let option) = given.option.id, given.value == "true" else { continue }
            if option == .noHTTPS { words.append("--no-https") }
            if option == .noCache { words.append("--disable-cache") }
        }
        let own = HostProcess.arguments
        guard let program = HostFile.ownPath, own.indices.contains(index) else {
            throw ApptainerError("cannot tell which program this is")
        }
        words.append(ByteString("--index=\(index)"))
        // Checked here, so that nothing is fetched for nothing.
        _ = try source(own[index])
        try become(
            "cannot fetch \(own[index].text)", "apptainer-fetch", words + ["--", program] + own,
            notes)
    }

    /// This process becomes nsrun-rootfs, which does the rest.
    private static func become(
        _ failure: String, _ verb: ByteString, _ words: [ByteString], _ notes: ApptainerNotes
    ) throws(ApptainerError) -> Never {
        guard let program = program else {
            throw ApptainerError(
                "\(failure): nsrun-rootfs, which does that, is neither beside nsrun nor in PATH",
                remedy: "install it where nsrun is")
        }
        let quiet: [ByteString] = notes.level < 1 ? ["--quiet"] : []
        let reason = HostFile.become(
            program, ["nsrun-rootfs", verb] + quiet + words,
            environment: HostProcess.environment)
        throw ApptainerError("cannot run \(program.text): \(reason)")
    }

    /// Beside this program's own file, or where programs are looked for.
    private static var program: ByteString? {
        let beside = HostFile.ownPath?.parent?.appending(path: "nsrun-rootfs")
        if let beside, HostFile.isExecutable(beside) { return beside }
        return HostFile.tool("nsrun-rootfs")
    }

    /// What nsrun-rootfs is told: options, the source, and what is to be made of it.
    static func arguments(
        _ verb: ApptainerVerb, _ words: [ByteString], _ options: [ApptainerLine.Given]
    ) throws(ApptainerError) -> [ByteString] {
        var result: [ByteString] = []
        var name: ByteString?
        var directory: ByteString?
        for given in options {
            let isOn = given.value == "true"
            switch given.option.id {
            case .make(let option):
                switch option {
                case .sandbox: if isOn { result.append("--sandbox") }
                case .force: if isOn { result.append("--force") }
                case .noHTTPS: if isOn { result.append("--no-https") }
                case .name: name = given.value
                case .directory: directory = given.value
                case .architecture: result += ["--arch", given.value]
                case .noTest: if isOn { result.append("--notest") }
                case .buildArgument:
                    for part in given.value.split(on: UInt8(ascii: ",")) {
                        result.append("--build-arg=" + part)
                    }
                case .buildArgumentFile: result.append("--build-arg-file=" + given.value)
                case .allowsUnused: if isOn { result.append("--warn-unused-build-args") }
                case .noCache: if isOn { result.append("--disable-cache") }
                case .fakeRoot, .ignored: continue
                case .refused:
                    if given.value == "false" { continue }
                    throw ApptainerError(
                        "\(given.origin.text) is not among what nsrun does under the name of Apptainer",
                        remedy: remedy(for: given.option.name.text))
                }
            case .general, .action, .inspect, .instance, .cache: continue
            }
        }
        if verb == .build {
            guard words.count == 2 else {
                throw .usage("accepts 2 arg(s), received \(words.count)", of: "build")
            }
            return result + ["--", try source(words[1]), words[0]]
        }
        guard let last = words.last, words.count <= 2 else {
            throw .usage("accepts between 1 and 2 arg(s), received \(words.count)", of: "pull")
        }
        if words.count == 2 { name = words[0] }
        var file = name ?? fileName(of: last)
        if let directory, name?.contains(UInt8(ascii: "/")) != true {
            file = directory.appending(path: file)
        }
        return result + ["--", try source(last), file]
    }

    /// What does the same, where something does.
    private static func remedy(for name: String) -> String? {
        switch name {
        case "update", "section": "build the image anew: what it says is cheap to say again"
        case "bind", "mount": "%files copies what the build needs"
        default: nil
        }
    }

    private static func source(_ word: ByteString) throws(ApptainerError) -> ByteString {
        guard let scheme = ApptainerImage.scheme(of: word) else { return word }
        let unknown: [ByteString] = ["http", "https", "instance", "library", "oras", "shub"]
        if unknown.contains(scheme) {
            throw ApptainerError(
                "cannot fetch \(word.text): nsrun fetches nothing by \(scheme.text)",
                remedy: "docker://NAME, oci:DIR, oci-archive:FILE or docker-archive:FILE")
        }
        return word
    }

    /// `bb_1.sif` of `docker://registry/bb:1`.
    static func fileName(of uri: ByteString) -> ByteString {
        var name = uri.lastComponent
        if let digest = name.firstIndex(of: UInt8(ascii: "@")) {
            name = name.slice(from: 0, to: digest)
        }
        let parts = name.split(on: UInt8(ascii: ":"))
        let tag: ByteString = parts.count > 1 && !parts[1].isEmpty ? parts[1] : "latest"
        return parts[0] + "_" + tag + ".sif"
    }
}
