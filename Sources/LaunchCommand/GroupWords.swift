// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The options that a group or a world was set up with, as words: its holder keeps them (``LaunchRequest/note``), for whoever
/// joins a group by its name alone, and for `--list`.
///
/// What one command does is no part of them, nor is what a variable is set to: that may be a secret.
enum GroupWords {
    /// Words that end with NUL bytes; empty where they would not be enough.
    static func note(for options: [ParsedOption]) -> ByteString {
        var bytes: [UInt8] = []
        for parsed in options {
            var values = parsed.values
            switch parsed.option.group {
            case .own: continue
            case .descriptor: return ""
            case .world, .both: break
            case .worldPath: values[0] = absolute(values[0])
            case .worldPattern: if !values[0].hasPrefix("~") { values[0] = absolute(values[0]) }
            case .worldPaths: for index in 0..<2 { values[index] = absolute(values[index]) }
            case .worldRoot: values[0] = located(values[0])
            case .worldProgram: values[0] = withAbsolutePath(values[0])
            case .worldFile: if values[0] != "default" { values[0] = absolute(values[0]) }
            }
            for word in [parsed.origin] + values { bytes += word.bytes + [0] }
        }
        // Where nothing was asked for it is the host view.
        return bytes.isEmpty ? "--preset\0host\0" : ByteString(bytes: bytes)
    }

    static func words(in note: ByteString) -> [ByteString] { ArgumentFile.parts(note.bytes, 0) }

    /// Nothing is said of what the group is.
    static func areOwn(_ options: [ParsedOption]) -> Bool {
        options.allSatisfy { parsed in
            switch parsed.option.group {
            case .own, .both: true
            case .world, .worldPath, .worldPaths, .worldRoot, .worldProgram, .worldFile,
                .worldPattern, .descriptor:
                false
            }
        }
    }

    private static func absolute(_ path: ByteString) -> ByteString {
        guard !path.isAbsolute, !path.isEmpty, let here = HostProcess.currentDirectory else {
            return path
        }
        return here.appending(path: path)
    }

    /// The path in `A=PATH`.
    private static func withAbsolutePath(_ value: ByteString) -> ByteString {
        guard let sign = value.firstIndex(of: UInt8(ascii: "=")) else { return value }
        return value.slice(from: 0, to: sign + 1) + absolute(value.slice(from: sign + 1))
    }

    /// A name in the store may be another's by then.
    private static func located(_ word: ByteString) -> ByteString {
        do throws(LaunchError) {
            return absolute(try RootfsStore.locate(word))
        } catch {
            return word  // the launch fails by it
        }
    }
}

extension LaunchTool {
    /// `--join NAME` alone takes the options of the group of that name; others that stand beside it are one command's.
    /// Returns whether that is so.
    func takeOptionsOfGroup(_ line: inout ParsedCommandLine) throws(UsageError) -> Bool {
        guard !personality.isBubblewrap,
            let name = line.options.last(where: { $0.id == .namespace(.join) })?.values[0],
            name != "auto", GroupWords.areOwn(line.options)
        else { return false }
        guard let group = try Self.group(named: name) else {
            if line.options.contains(where: { $0.id == .process(.detach) }) { return false }
            throw UsageError(
                "cannot join the group \(name.text): there is none of that name",
                remedy:
                    "nsrun --list says which there are; with --rootfs R, or --preset host, it is set up"
            )
        }
        if group.note.isEmpty {
            throw UsageError(
                "cannot join the group \(name.text) by its name alone: its options are not known",
                remedy: "give those that it was set up with")
        }
        let given = GroupWords.words(in: group.note)
        if given.first == ApptainerInstance.mark {
            let instance = ApptainerInstance.name(of: name)?.text ?? name.text
            throw UsageError(
                "cannot join the group \(name.text): it is an instance of Apptainer's",
                remedy: "apptainer exec instance://\(instance)")
        }
        let words = try Parser.parse(given, as: personality)
        line.options = words.options + line.options
        return true
    }

    /// What is left for others with what is set up, and which group is meant.
    func nameGroup(of invocation: inout Invocation, isPacked: Bool) {
        if invocation.joinsByName,
            case .named(let name) = invocation.request.namespaces.join
        {
            invocation.request.namespaces.join = .existing(name)
        }
        // The words of a pack and of bubblewrap mean something else to nsrun.
        if personality.isBubblewrap || isPacked { return }
        let namespaces = invocation.request.namespaces
        let isKept =
            namespaces.join != nil || namespaces.sharesLayer || invocation.isDetached
            || invocation.request.reuse != nil
        if isKept { invocation.request.note = GroupWords.note(for: invocation.options) }
    }

    private static func group(named name: ByteString) throws(UsageError) -> KeptWorld? {
        do throws(LaunchError) {
            return try KeptWorld.group(named: name)
        } catch {
            throw UsageError(error.message, remedy: error.remedy)
        }
    }
}
