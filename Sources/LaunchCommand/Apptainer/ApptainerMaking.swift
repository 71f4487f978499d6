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
        guard let program = program else {
            throw ApptainerError(
                "cannot \(verb.name.text) an image: nsrun-rootfs, which does that, is neither beside nsrun nor in PATH",
                remedy: "install it where nsrun is")
        }
        let quiet: [ByteString] = notes.level < 1 ? ["--quiet"] : []
        let reason = HostFile.become(
            program, ["nsrun-rootfs", "apptainer"] + quiet + words,
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
                case .fakeRoot, .ignored: continue
                }
            case .general, .action, .inspect: continue
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
