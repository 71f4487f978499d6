// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A network of the run's own that pasta connects: what is reached through it, and what is not.
///
/// The host of these runs is a network that the test makes, so that they need none.
@Suite struct NetworkTests {
    /// Runs a command where 10.1.1.1 is the host's address, and 203.0.113.5 another host's, whose network OTHER names.
    private func beside(_ command: [String], hasWayOut: Bool = true) throws -> Outcome {
        let wayOut = """
            unshare --net sleep 1000 & other=$!; export OTHER=/proc/$other/ns/net
            until [ "$(readlink $OTHER)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
            ip link add out0 type veth peer name peer0 netns $other &&
            nsenter --net=$OTHER sh -c 'ip link set peer0 up && ip address add 10.1.1.254/24 dev peer0 &&
                ip link set lo up && ip address add 203.0.113.5/32 dev lo' &&
            ip address add 10.1.1.1/24 dev out0 && ip link set out0 up &&
            ip route add default via 10.1.1.254 || exit
            """
        let script = """
            ip link set lo up; other=
            \(hasWayOut ? wayOut : "")
            "$@"; status=$?; [ -z $other ] || kill $other; exit $status
            """
        return try run(
            ["unshare", "--map-current-user", "--keep-caps", "--net", "sh", "-c", script, "sh"]
                + command)
    }

    private func connected(_ options: [String], _ script: String) throws -> [String] {
        [try Bench.current().nsrun, "--network", "pasta"] + options
            + ["--", "bash", "-c", script]
    }

    @Test(
        arguments: [
            [], ["--share-pid"], ["--uid", "0"], ["--preset", "test"], ["--ephemeral"],
            ["--timeout", "60"], ["--unshare-all"], ["--rootfs", "R"],
        ])
    func theRunHasTheHostsInterface(options: [String]) throws {
        let rootfs = try Bench.current().rootfs
        let marker = "nsrun-net-\(UInt32.random(in: 0...UInt32.max))"
        let script = "grep -o 'out0' /proc/net/dev; exit 7 # \(marker)"
        let seen = try beside(connected(options.map { $0 == "R" ? rootfs : $0 }, script))
        expect(seen, Outcome(status: 7, output: "out0", error: ""))
        #expect(try HostState.processesGo(marker))
    }

    /// Listens elsewhere and on the host's loopback interface, and tries all from inside.
    @Test(arguments: [[], ["--share-pid"]])
    func otherHostsAreReachedAndThisOneIsNot(shape: [String]) throws {
        let host = """
            import os, socket, subprocess, sys, threading
            other = "import socket; l = socket.create_server(('203.0.113.5', 8080)); print(flush=True)\\nwhile 1: l.accept()[0].sendall(b'hello\\\\n')"
            server = subprocess.Popen(["nsenter", "--net=" + os.environ["OTHER"], "python3", "-c", other], stdout=subprocess.PIPE)
            server.stdout.readline()
            def serve(*address):
                listener = socket.create_server(address)
                def answer():
                    while True: listener.accept()[0].sendall(b"hello\\n")
                threading.Thread(target=answer, daemon=True).start()
            serve("127.0.0.1", 8081)
            status = subprocess.run(sys.argv[1:]).returncode
            server.kill()
            sys.exit(status)
            """
        let script = """
            for place in 203.0.113.5/8080 127.0.0.1/8081 10.1.1.1/8081 10.1.1.254/8081; do
                timeout 3 bash -c "exec 3<>/dev/tcp/$place && cat <&3" 2>/dev/null || echo no
            done
            """
        let seen = try beside(["python3", "-c", host] + connected(shape, script))
        expect(seen, prints: "hello\nno\nno\nno")
    }

    @Test func whatListensInsideIsNotReached() throws {
        let host = """
            import socket, subprocess, sys
            run = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            print(run.stdout.readline().decode().strip())
            for address in "10.1.1.1", "127.0.0.1":
                try: print("connected", socket.create_connection((address, 8090), 3))
                except OSError as error: print(type(error).__name__)
            run.stdin.close()
            sys.exit(run.wait())
            """
        let script = """
            exec python3 -c 'import socket, sys
            listener = socket.create_server(("", 8090)); print("listening", flush=True)
            sys.stdin.read()'
            """
        let seen = try beside(["python3", "-c", host] + connected([], script))
        expect(seen, prints: "listening\nConnectionRefusedError\nConnectionRefusedError")
    }

    /// Of the processes that connect it none outlives the run, however that ends.
    @Test(
        arguments: [
            ("nsrun", SIGTERM), ("nsrun", SIGKILL), ("pid 1", SIGKILL), ("command", SIGTERM),
        ])
    func pastaEndsWithTheRun(whom: String, signal: Int32) throws {
        let marker = "nsrun-net-\(UInt32.random(in: 0...UInt32.max))"
        let host = """
            import os, signal, subprocess, sys
            run = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
            run.stdout.readline()
            def child(pid): return int(open(f"/proc/{pid}/task/{pid}/children").read().split()[0])
            pids = {"nsrun": run.pid, "pid 1": child(run.pid), "command": child(child(run.pid))}
            os.kill(pids["\(whom)"], \(signal))
            print(run.wait() != 0)
            """
        let script = "echo started; sleep 86405; : \(marker)"
        let seen = try beside(
            ["python3", "-c", host] + connected(["--die-with-parent", "--timeout", "1h"], script))
        #expect(seen.status == 0 && seen.output == "True", "\(seen)")
        #expect(try HostState.processesGo(marker))
    }

    /// The one that watches, whom nobody needs to spare.
    @Test func pastaEndsWithItsWatcher() throws {
        let marker = "nsrun-net-\(UInt32.random(in: 0...UInt32.max))"
        let host = """
            import os, signal, subprocess, sys
            run = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            run.stdout.readline()
            def children(pid):
                return open(f"/proc/{pid}/task/{pid}/children").read().split()
            def starts(pid, name): return open(f"/proc/{pid}/cmdline").read().startswith(name)
            watched = [(pid, other) for pid in os.listdir("/proc") if pid.isdigit()
                if os.path.exists(f"/proc/{pid}/cmdline")
                and "\(marker)" in open(f"/proc/{pid}/cmdline").read()
                for other in children(pid) if starts(other, "pasta")]
            [(watcher, pasta)] = watched
            os.kill(int(watcher), signal.SIGKILL)
            while starts(pasta, "pasta"): pass
            run.stdin.close()
            print(run.wait())
            """
        let seen = try beside(
            ["python3", "-c", host] + connected([], "echo started; read -r x; exit 3 # \(marker)"))
        expect(seen, prints: "3")
    }

    @Test func closedStandardDescriptorsStayClosed() throws {
        let inner = try connected([], "ls /proc/self/fd | wc -l; echo x 2>/dev/null >&2")
        let seen = try beside(["sh", "-c", "exec \"$@\" <&-", "sh"] + inner)
        // The directory that ls reads takes the place of standard input.
        expect(seen, prints: "3")
    }

    // MARK: Ports passed on

    /// From the host's loopback interface and from other hosts, and nothing but what is passed on.
    @Test(arguments: [[], ["--share-pid"]])
    func portsArePassedOn(shape: [String]) throws {
        let server = """
            import os, socket, threading
            def serve(place, port, word):
                listener = socket.create_server((place, port))
                while True:
                    guest = listener.accept()[0]
                    guest.recv(1)
                    guest.sendall(word)
                    guest.close()
            for port, word in (8080, b"first\\n"), (8091, b"second\\n"), (8092, b"third\\n"):
                threading.Thread(target=serve, args=("0.0.0.0", port, word), daemon=True).start()
            input()
            """
        let script = """
            ask() { timeout 5 bash -c "exec 3<>/dev/tcp/$1 && echo >&3 && cat <&3" 2>/dev/null; }
            coproc "$@"
            until [ "$(ask 127.0.0.1/8090)" ]; do sleep 0.1; done
            for place in 127.0.0.1/8090 127.0.0.1/8091 127.0.0.1/8080 127.0.0.1/8092; do
                ask $place || echo no
            done
            export -f ask
            for place in 10.1.1.1/8090 10.1.1.1/8092; do nsenter --net=$OTHER bash -c "ask $place" || echo no; done
            echo >&${COPROC[1]}; wait
            """
        let command =
            [try Bench.current().nsrun, "--network", "pasta=8090:8080,8091"] + shape
            + ["--", "python3", "-c", server]
        let seen = try beside(["bash", "-c", script, "bash"] + command)
        expect(seen, prints: "first\nsecond\nno\nno\nfirst\nno")
    }

    /// pasta would be content with the addresses that are left.
    @Test(arguments: ["127.0.0.1", "0.0.0.0", "::1", "::"])
    func aPortThatSomebodyHas(address: String) throws {
        let host = """
            import socket, subprocess, sys
            family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
            listener = socket.create_server((sys.argv[1], 8090), family=family)
            sys.exit(subprocess.run(sys.argv[2:]).returncode)
            """
        let command = [
            try Bench.current().nsrun, "--network", "pasta=8089,8090:80", "echo", "ran",
        ]
        expect(
            try beside(["python3", "-c", host, address] + command),
            refuses: "cannot pass on port 8090: address already in use",
            remedy: "take another port")
    }

    @Test func aPortThatIsRoots() throws {
        let command = [try Bench.current().nsrun, "--network", "pasta=80", "echo", "ran"]
        expect(
            try beside(["setpriv", "--inh-caps=-all", "--ambient-caps=-all"] + command),
            refuses: "cannot pass on port 80: permission denied",
            remedy: "ip_unprivileged_port_start", "take a higher one")
    }

    @Test func withoutAWayOut() throws {
        let seen = try beside(connected([], "echo ran"), hasWayOut: false)
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot connect the network: pasta: "), "\(seen)")
        #expect(seen.error.contains("\n  the host needs a route"), "\(seen)")
        #expect(seen.error.split(separator: "\n").count == 2, "\(seen)")
    }

    @Test func withoutItsDevice() throws {
        let inner = try connected([], "echo ran")
        expect(
            try nsrun(["--dev", "/dev"] + inner),
            refuses: "cannot connect the network: there is no /dev/net/tun here",
            remedy: "modprobe tun", "--network host")
        let folder = try TemporaryDirectory()
        let closed = try folder.write("", to: "closed", mode: 0)
        expect(
            try nsrun(["--dev", "/dev", "--ro-bind", closed, "/dev/net/tun"] + inner),
            refuses: "cannot connect the network: you may not use /dev/net/tun",
            remedy: "chmod 666 /dev/net/tun", "--network host")
    }

    @Test func whereItIsNotInstalled() throws {
        let options = ["--tmpfs", "/mnt", "--ro-bind", try Bench.current().nsrun, "/mnt/nsrun"]
        expect(
            try inRoot("/mnt/nsrun --network pasta true", options),
            refuses: "cannot connect the network: pasta is not installed",
            remedy: "passt", "--network host")
    }
}
