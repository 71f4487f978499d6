// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What users of podman, docker and Apptainer type, and what it is called here.
enum ForeignWords {
    /// The remedy for an option that nsrun does not have and another launcher does; nil for any other.
    static func remedy(for word: ByteString) -> String? {
        for (words, says) in table {
            if words.contains(where: { ByteString(stringLiteral: $0) == word }) { return says.text }
        }
        return nil
    }

    private static let table: [([StaticString], StaticString)] = [
        (["--net"], "it is called --network here: host, none or pasta"),
        (
            ["-p", "--publish"],
            "--network pasta=PORT[:INSIDE] passes ports on here; --network host shares the host's network"
        ),
        (["-e", "--env"], "it is called --setenv NAME VALUE here, two words"),
        (["-w", "--workdir", "--pwd", "--cd"], "it is called --chdir DIR here"),
        (
            ["-v", "--volume", "-B"],
            "it is called --bind SRC DEST here, two words; --ro-bind SRC DEST for one that is not written to"
        ),
        (["--mount"], "--bind SRC DEST, --ro-bind SRC DEST or --tmpfs DIR does it"),
        (
            ["--rw", "--read-write", "--write"],
            "it is called --writable here: changes stay; with --ephemeral they vanish"
        ),
        (["--writable-tmpfs"], "it is called --ephemeral here"),
        (
            ["--read-only", "--ro"],
            "leave it out: a rootfs is read-only unless --writable or --ephemeral is given"
        ),
        (
            ["-i", "-t", "-it", "-ti", "--tty", "--interactive"],
            "leave it out: the command has your terminal and your standard input as they are"
        ),
        (
            ["--rm", "--name"],
            "leave it out: nothing is left of a run; --join NAME lets others into it"
        ),
        (["-d"], "it is called --detach here"),
        (
            ["-u", "--user"],
            "--uid N and --gid N say who the command is inside; --fake-root makes it root"
        ),
        (["--root", "--fakeroot", "-f"], "it is called --fake-root here"),
        (
            ["--privileged"],
            "there is no such thing without root; --cap-add CAP gives capabilities inside"
        ),
        (
            ["--image", "-r", "--chroot"],
            "it is called --rootfs R here: a path, or a name of nsrun-rootfs list"
        ),
        (
            ["-c", "--contain", "-C", "--containall"],
            "leave it out: /tmp, the home and the processes are the run's own; --network none does the rest"
        ),
        (["--cleanenv"], "it is called --clean-env here"),
        (["--nv"], "it is called --nvidia here"),
        (
            ["--no-home"],
            "leave it out: the home in a rootfs is private and empty unless --home is given"
        ),
        (["-H"], "--home binds your home; --bind DIR $HOME another one"),
        (
            ["--platform"],
            "it is called --arch here, and seldom needed: nsrun asks the root's programs"
        ),
        (["--memory", "-m"], "it is called --limit memory=SIZE here"),
        (["--cpus"], "it is called --limit cpu=N here"),
        (["--pids-limit"], "it is called --limit pids=N here"),
        (["--userns-remap"], "--map-auto maps your ranges of /etc/subuid"),
        (["-n"], "write it out: --network"),
        (["-q"], "it is called --quiet here"),
    ]
}
