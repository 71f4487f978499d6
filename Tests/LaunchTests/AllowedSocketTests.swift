// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--allow-socket`: the servers of the host's that a run reaches by their paths.
@Suite struct AllowedSocketTests {
    /// Two servers in a directory, of which one is allowed; the first word of the command is the directory.
    private func beside(_ options: String, _ client: String, more: String = "") throws -> Outcome {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let work = try TemporaryDirectory(in: NSHomeDirectory())
        let host = """
            import os, socket, subprocess, sys, threading
            folder = sys.argv[1]
            def serve(name, word):
                path = f"{folder}/{name}"
                if os.path.exists(path): os.unlink(path)
                server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
                def answer():
                    while True:
                        guest = server.accept()[0]; guest.sendall(word); guest.close()
                threading.Thread(target=answer, daemon=True).start()
            serve("a.sock", b"a"); serve("b.sock", b"b")
            open(f"{folder}/file", "w").close(); os.symlink("a.sock", f"{folder}/link")
            client = '''
            import socket, sys
            def ask(path):
                s = socket.socket(socket.AF_UNIX)
                try: s.connect(path); return s.recv(9).decode()
                except OSError as error: return type(error).__name__
            folder = sys.argv[1]
            '''
            def nsrun(options, program, **more):
                return subprocess.Popen([sys.argv[2], *options, "--", "python3", "-c", client + program, folder], **more)
            run = nsrun(\(options), '''\(client)''', stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            \(more)
            print(run.communicate("\\n")[0].strip()); sys.exit(run.returncode)
            """
        return try run(
            ["python3", "-c", host, folder.path, try Bench.current().nsrun], directory: work.path)
    }

    @Test(
        arguments: [
            "'--preset', 'sandbox'", "'--preset', 'test'",
            "'--preset', 'sandbox', '--network', 'host'",
            "'--preset', 'sandbox', '--debug-opt', 'force-classic-mounts'",
            "'--preset', 'sandbox', '--reuse', 'auto'",
        ])
    func itIsReachedAndNoOther(preset: String) throws {
        let seen = try beside(
            "[\(preset), '--allow-socket', folder + '/a.sock']",
            "print(ask(folder + '/a.sock'), ask(folder + '/b.sock'))")
        expect(seen, prints: "a FileNotFoundError")
    }

    /// Under the name by which it is allowed.
    @Test func aLinkToIt() throws {
        let seen = try beside(
            "['--preset', 'sandbox', '--allow-socket', folder + '/link']",
            "print(ask(folder + '/link'), ask(folder + '/a.sock'))")
        expect(seen, prints: "a FileNotFoundError")
    }

    /// What a server makes anew is another file.
    @Test func aDirectorySurvivesItsServers() throws {
        let seen = try beside(
            "['--preset', 'sandbox', '--allow-socket', folder]",
            """
            print(ask(folder + '/a.sock'), ask(folder + '/b.sock'), flush=True); input(); print(ask(folder + '/a.sock'))
            try: open(folder + '/new', 'w')
            except OSError as error: print(type(error).__name__)
            """,
            more: "print(run.stdout.readline().strip()); serve('a.sock', b'again')")
        expect(seen, prints: "a b\nagain\nOSError")
    }

    /// In the host view the servers of the session and of the system do not answer then.
    @Test func inTheHostView() throws {
        let seen = try beside(
            "['--allow-socket', folder + '/a.sock']",
            """
            import os
            others = [os.path.join(place, name) for place, _, names in os.walk('/run') for name in names]
            print(ask(folder + '/a.sock'), [path for path in others if ask(path) not in ('ConnectionRefusedError', 'FileNotFoundError', 'PermissionError')])
            """)
        expect(seen, prints: "a []")
    }

    @Test(
        arguments: [
            ("/none/such.sock", "no such file or directory", "start its server first"),
            ("/etc/passwd", "it is no socket", "name a socket"),
            ("@abstract", "an abstract socket belongs to a network", "have a path"),
        ])
    func whatIsNone(path: String, cause: String, remedy: String) throws {
        expect(
            try nsrun(["--allow-socket", path, "true"]),
            refuses: "cannot allow the socket \(path): \(cause)", remedy: remedy)
    }
}
