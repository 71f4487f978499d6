// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A host with servers, all of it made by the test: its network, its names, and who answers.
///
/// 203.0.113.5 is server.test, also.test and many.test, whose other addresses do not answer; 2001:db8::5 is six.test;
/// slow.test has an address first that never answers. dns.test is known to a name server alone, which knows no other.
enum RelayBench {
    private static let names = """
        127.0.0.1 localhost
        ::1 localhost
        203.0.113.5 server.test also.test
        203.0.113.6 other.test
        203.0.113.7 many.test
        203.0.113.6 many.test
        203.0.113.5 many.test
        198.51.100.9 slow.test
        203.0.113.5 slow.test
        2001:db8::5 six.test
        0.0.0.0 blocked.test
        """

    private static let host = """
        import hashlib, os, socket, struct, subprocess, sys, threading, time
        NSRUN = sys.argv[1]
        def serve(answer, address="203.0.113.5", port=0):
            listener = socket.create_server(
                (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1024)
            def take():
                while True:
                    guest = listener.accept()[0]
                    threading.Thread(target=answer, args=(guest,), daemon=True).start()
            threading.Thread(target=take, daemon=True).start()
            return str(listener.getsockname()[1])
        def hello(guest):
            guest.sendall(b"hello\\n")
            guest.close()
        def echo(guest):
            while data := guest.recv(65536): guest.sendall(data)
            guest.close()
        def free_port():
            with socket.create_server(("203.0.113.5", 0)) as listener: return str(listener.getsockname()[1])
        def answer_names():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind(("127.0.0.1", 53))
            def take():
                while True:
                    question, whom = server.recvfrom(512)
                    end = question.index(b"\\0", 12) + 5
                    known = question[12:end - 4] == b"\\x03dns\\x04test\\0"
                    is_a = question[end - 4:end - 2] == b"\\0\\x01"
                    answer = b"\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x05\\0\\x04" + bytes([203, 0, 113, 5])
                    if not (known and is_a): answer = b""
                    flags = b"\\x81\\x80" if known else b"\\x81\\x83"
                    head = question[:2] + flags + b"\\0\\x01" + (b"\\0\\x01" if answer else b"\\0\\0") + b"\\0\\0\\0\\0"
                    server.sendto(head + question[12:end] + answer, whom)
            threading.Thread(target=take, daemon=True).start()
        def start(options, *command, **more):
            return subprocess.Popen([NSRUN, *options, "--", *command], **more)
        def nsrun(options, *command, **more):
            return subprocess.run([NSRUN, *options, "--", *command], **more).returncode
        def relays():
            found = []
            for name in os.listdir("/proc"):
                try:
                    if name.isdigit() and open(f"/proc/{name}/comm").read() == "nsrun-relay\\n":
                        if os.readlink(f"/proc/{name}/ns/net") == os.readlink("/proc/self/ns/net"): found.append(int(name))
                except OSError: pass
            return found
        """

    /// Runs a program of the host's, in Python, that has what stands above.
    static func run(
        _ program: String, directory: String = "/", prefix: [String] = []
    ) throws -> Outcome {
        let folder = try TemporaryDirectory()
        let hosts = try folder.write(names + "\n", to: "hosts")
        let resolver = try folder.write(
            "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n", to: "resolv.conf")
        let script = """
            ip link set lo up && ip address add 203.0.113.5/32 dev lo && ip address add 203.0.113.6/32 dev lo &&
            ip -6 address add 2001:db8::5/128 dev lo && ip link add void0 type veth peer name void1 &&
            ip link set void0 up && ip link set void1 up && ip address add 198.51.100.1/24 dev void0 &&
            ip neighbour add 198.51.100.9 lladdr 02:00:00:00:00:01 dev void0 &&
            mount --bind "$1" /etc/hosts && mount --bind "$2" "$(realpath /etc/resolv.conf)" && shift 2 && exec "$@"
            """
        return try LaunchTests.run(
            [
                "unshare", "--map-current-user", "--keep-caps", "--net", "--mount", "sh", "-c",
                script,
            ]
                + ["sh", hosts, resolver] + prefix
                + ["python3", "-c", host + "\n" + program, try Bench.current().nsrun],
            directory: directory)
    }
}
