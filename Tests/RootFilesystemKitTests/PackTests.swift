// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RootFilesystemKit

/// The parts of a pack that need no launch.
@Suite struct PackTests {
    @Test(arguments: [
        ("/usr/bin/mawk", "etc/alternatives/awk", "../../usr/bin/mawk"),
        ("/etc/place", "link", "etc/place"),
        ("/", "a/b", ".."),
        ("/", "a", "."),
        ("/usr//lib/", "a/b", "../usr/lib"),
        ("../relative", "a/b", "../relative"),
        ("/proc/self/mounts", "etc/mtab", "/proc/self/mounts"),
        ("/dev/null", "a", "/dev/null"),
        ("/device", "a", "device"),
    ])
    func linksAreMadeRelative(target: String, path: String, expected: String) throws {
        let path = try EntryPath(archived: ByteString(path))
        #expect(PackTree.inside(ByteString(target), of: path) == ByteString(expected))
    }

    @Test func anEntryAndItsSettings() throws {
        let entry = try PackEntry("show=/bin/cat -n /etc/a=b")
        #expect(entry.name == "show")
        #expect(entry.command == ["/bin/cat", "-n", "/etc/a=b"])
        #expect(
            PackSettings(temporary: .host, options: ["--network", "none"]).text(of: entry) == """
                --home
                --cwd
                --bind
                /tmp
                /tmp
                --network
                none
                --
                /bin/cat
                -n
                /etc/a=b

                """)
    }

    @Test(arguments: [
        ("tools.tar.gz", "tools"), ("/a/b/tools-1.2.tar.zst", "tools-1.2"), ("x.tgz", "x"),
        (".tar", "pack"), ("a.tar.b.tar", "a.tar.b"),
    ])
    func theFolderHasTheNameOfTheFile(file: String, name: String) {
        #expect(Packer.folderName(of: file) == name)
    }

    @Test func librariesAsTheLoaderListsThem() {
        let list = """
            \tlinux-vdso.so.1 (0x00007ffd)
            \tlibtalloc.so.2 => /lib/x86_64-linux-gnu/libtalloc.so.2 (0x00007f)
            \tlibgone.so.1 => not found
            \t/lib64/ld-linux-x86-64.so.2 => /x/ld-linux-x86-64.so.2 (0x00007f)
            """
        let libraries = ProgramParts.libraries(list)
        #expect(libraries.map(\.name) == ["libtalloc.so.2"])
        #expect(libraries.map(\.source) == ["/lib/x86_64-linux-gnu/libtalloc.so.2"])
    }
}
