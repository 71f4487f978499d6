// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--preset test`: a test suite with nothing around it, on the host's root or in a rootfs.
@Suite struct TestPresetTests {
    enum Place: CaseIterable { case host, rootfs }

    private func suite(
        _ script: String, _ options: [String] = [], in place: Place = .host,
        environment: [String: String?] = [:], directory: String = "/"
    ) throws -> Outcome {
        let options = ["--preset", "test"] + options
        return switch place {
        case .host:
            try onHost(script, options, environment: environment, directory: directory)
        case .rootfs:
            try inRoot(script, options, environment: environment, directory: directory)
        }
    }

    // MARK: Private places

    @Test(arguments: MountPath.allCases, Place.allCases)
    func scratchAndHomeAreEmptyAndInMemory(path: MountPath, place: Place) throws {
        let name = "made-\(UInt32.random(in: 0...UInt32.max))"
        let places = ["/tmp", "/var/tmp", "/dev/shm", NSHomeDirectory()]
        let script = """
            echo $HOME
            for place in \(places.joined(separator: " ")); do
                ls -A $place; stat -f -c %T $place; echo x >$place/\(name); cat $place/\(name)
            done
            """
        let seen = try suite(script, path.options, in: place)
        expect(seen, prints: NSHomeDirectory() + String(repeating: "\ntmpfs\nx", count: 4))
        for place in places {
            #expect(!FileManager.default.fileExists(atPath: "\(place)/\(name)"))
        }
    }

    @Test(arguments: MountPath.allCases)
    func nothingStaysFromRunToRun(path: MountPath) throws {
        for _ in 0..<2 {
            let script = "ls -A /tmp; ls -A ~; echo x >/tmp/x; echo x >~/x"
            expect(try suite(script, path.options), exits: 0)
        }
    }

    @Test(arguments: Place.allCases)
    func variablesThatLeadElsewhereAreDropped(place: Place) throws {
        let names = [
            "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
            "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK",
        ]
        var host = Dictionary(uniqueKeysWithValues: names.map { ($0, Optional("/elsewhere")) })
        host["OTHER"] = "kept"
        let script = "env | grep -E '^(\(names.joined(separator: "|"))|OTHER)='"
        expect(try suite(script, in: place, environment: host), prints: "OTHER=kept")
        let set = try suite(script, ["--setenv", "TMPDIR", "/tmp"], in: place, environment: host)
        expect(set, prints: "OTHER=kept\nTMPDIR=/tmp")
    }

    @Test(arguments: [nil, "/", "/nonexistent"], Place.allCases)
    func withoutAHomeTheRunGoesOn(home: String?, place: Place) throws {
        expect(try suite("echo on", in: place, environment: ["HOME": home]), prints: "on")
    }

    // MARK: The source tree

    /// A working copy: the mark of version control at its top, and a directory to work in.
    private func workingCopy(in parent: String, mark: String = ".git/HEAD") throws
        -> TemporaryDirectory
    {
        let tree = try TemporaryDirectory(in: parent)
        try tree.write("", to: mark)
        try tree.write("source\n", to: "source")
        try tree.makeDirectory("build/deep")
        return tree
    }

    static let parents = [NSHomeDirectory(), "/tmp", "/var/tmp", "/dev/shm"]

    @Test(arguments: MountPath.allCases, parents)
    func theSourceTreeIsWritable(path: MountPath, parent: String) throws {
        let script = "pwd; cat ../../source; echo built >out; echo log >../../log"
        for place in Place.allCases {
            let tree = try workingCopy(in: parent)
            let seen = try suite(script, path.options, in: place, directory: tree / "build/deep")
            expect(seen, prints: "\(tree / "build/deep")\nsource")
            #expect(tree.content("build/deep/out") == "built\n")
            #expect(tree.content("log") == "log\n")
        }
    }

    @Test(arguments: MountPath.allCases, parents)
    func orItStaysAsItIs(path: MountPath, parent: String) throws {
        let script = """
            pwd; echo built >out; rm ../../source; echo log >../../log; cat out ../../log
            ls -A ../..
            """
        let options = ["--ephemeral"] + path.options
        for place in Place.allCases {
            let tree = try workingCopy(in: parent)
            let before = try tree.listing()
            let seen = try suite(script, options, in: place, directory: tree / "build/deep")
            expect(seen, prints: "\(tree / "build/deep")\nbuilt\nlog\n.git\nbuild\nlog")
            #expect(try tree.listing() == before)
        }
    }

    @Test(arguments: [".git", ".git/HEAD", ".hg/x", ".svn/x", ".bzr/x", ".jj/x"])
    func versionControlMarksTheTop(mark: String) throws {
        let tree = try workingCopy(in: NSHomeDirectory(), mark: mark)
        let seen = try suite("cat ../../source", directory: tree / "build/deep")
        expect(seen, prints: "source")
    }

    /// The nearest one, as for version control itself.
    @Test func ofTwoTopsTheInnerCounts() throws {
        let tree = try workingCopy(in: NSHomeDirectory())
        try tree.write("", to: "build/.git")
        let seen = try suite("ls -A ..; ls -A ../..", directory: tree / "build/deep")
        expect(seen, prints: ".git\ndeep\nbuild")
    }

    @Test(arguments: Place.allCases)
    func withoutVersionControlTheDirectoryIsTheTree(place: Place) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write("", to: "beside")
        try folder.makeDirectory("work")
        let seen = try suite("pwd; ls -A ..; : >made", in: place, directory: folder / "work")
        expect(seen, prints: "\(folder / "work")\nwork")
        #expect(folder.content("work/made") == "")
    }

    /// Somebody whose home is a working copy has no empty home where the tree is the home itself, and
    /// is told; below it he has.
    @Test(arguments: Place.allCases)
    func homeMayBeTheSourceTree(place: Place) throws {
        let home = try workingCopy(in: NSHomeDirectory())
        let environment = ["HOME": home.path]
        let options = ["--verbose"]
        let above = try suite(
            "cat source; : >made", options, in: place, environment: environment,
            directory: home.path)
        #expect(above.status == 0 && above.output == "source", "\(above)")
        #expect(above.error.contains("nsrun: left out \(home.path): "), "\(above)")
        #expect(home.content("made") == "")
        let below = try suite(
            "pwd; ls -A ~; : >made", options, in: place, environment: environment,
            directory: home / "build")
        #expect(below.status == 0 && below.output == "\(home / "build")\nbuild", "\(below)")
        #expect(!below.error.contains("left out"), "\(below)")
        #expect(home.content("build/made") == "")
    }

    @Test(arguments: Place.allCases)
    func explainSaysSoToo(place: Place) throws {
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        let environment = ["HOME": home.path]
        let text = try suite(
            "true", ["--explain"], in: place, environment: environment, directory: home.path)
        #expect(text.output.contains("\nLeft out:\n  \(home.path): "), "\(text)")
        let json = try suite(
            "true", ["--explain=json"], in: place, environment: environment, directory: home.path)
        #expect(json.output.contains("{\"what\": \"\(home.path)\", \"reason\": "), "\(json)")
    }

    // MARK: Network and host name

    @Test(arguments: Place.allCases)
    func thereIsNoNetworkButLo(place: Place) throws {
        let devices = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"
        expect(try suite(devices, in: place), prints: "lo")
        let loopback = """
            perl -MSocket -e '
                socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, pack_sockaddr_in(4321, INADDR_LOOPBACK));
                listen($s, 1); socket(my $c, PF_INET, SOCK_STREAM, 0);
                print connect($c, pack_sockaddr_in(4321, INADDR_LOOPBACK)) ? "connected" : $!;'
            """
        expect(try suite(loopback, in: place), prints: "connected")
    }

    @Test(arguments: Place.allCases)
    func theHostNameIsFixed(place: Place) throws {
        expect(try suite("hostname; uname -n", in: place), prints: "test\ntest")
    }

    // MARK: Limits

    /// Soft and hard limit of a name of /proc/self/limits.
    private func limit(_ seen: Outcome, _ name: String) -> [String] {
        let line = seen.lines.first { $0.hasPrefix(name) }
        let words = line?.dropFirst(name.count).split(separator: " ") ?? []
        return words.prefix(2).map(String.init)
    }

    private static let processes = "Max processes"
    private static let data = "Max data size"

    @Test(arguments: Place.allCases)
    func processesAndMemoryAreLimited(place: Place) throws {
        let seen = try suite("cat /proc/self/limits", in: place)
        #expect(limit(seen, TestPresetTests.processes) == ["4096", "4096"], "\(seen)")
        #expect(limit(seen, TestPresetTests.data) == ["8589934592", "8589934592"], "\(seen)")
    }

    /// More memory than that is refused, whether it is ever used or not.
    @Test(arguments: Place.allCases)
    func memoryBeyondTheLimitIsRefused(place: Place) throws {
        let script = "perl -e '$x = \"x\" x (300 << 20); print length $x'"
        let most = ["--rlimit", "data=200000000"]
        let seen = try suite(script, most, in: place)
        #expect(seen.status != 0 && seen.output == "" && seen.error.contains("memory"), "\(seen)")
        expect(try suite(script, in: place), prints: "\(300 << 20)")
    }

    @Test(arguments: Place.allCases)
    func lowerLimitsOfTheCallersStay(place: Place) throws {
        let bench = try Bench.current()
        let root = place == .host ? [] : ["--rootfs", bench.rootfs]
        let seen = try run(
            ["prlimit", "--nproc=1000:2000", "--data=1000000000:9000000000", bench.nsrun]
                + ["--preset", "test"] + root + ["cat", "/proc/self/limits"])
        #expect(limit(seen, TestPresetTests.processes) == ["1000", "2000"], "\(seen)")
        #expect(limit(seen, TestPresetTests.data) == ["1000000000", "8589934592"], "\(seen)")
    }

    @Test(arguments: Place.allCases)
    func thereIsATimeLimit(place: Place) throws {
        let script = "trap 'echo tidy; exit 3' TERM; sleep 1000 & wait"
        for options in [
            ["--preset", "test", "--timeout", "2"], ["--timeout", "2", "--preset", "test"],
        ] {
            let seen = place == .host ? try onHost(script, options) : try inRoot(script, options)
            expect(seen, Outcome(status: 124, output: "tidy", error: ""))
        }
    }

    /// Ten minutes are more than a test here can wait for.
    @Test func theTimeLimitIsTenMinutes() throws {
        let explained = try suite("true", ["--explain"])
        #expect(explained.output.contains("600"), "\(explained)")
    }

    @Test func killFollowsForThoseWhoDoNotListen() throws {
        let script = "trap '' TERM; while :; do sleep 0.05; done"
        expect(try suite(script, ["--timeout", "0.2", "--kill-after", "0.2"]), exits: 124)
        // Without a --timeout of its own, too: the preset has one.
        expect(try suite("exit 0", ["--kill-after", "1"]), exits: 0)
    }

    // MARK: Other options win

    @Test(arguments: Place.allCases)
    func otherOptionsWin(place: Place) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let options = [
            "--network", "host", "--hostname", "other", "--home", "--rlimit", "nproc=500:600",
            "--rlimit", "data=unlimited", "--timeout", "0",
        ]
        let script = """
            readlink /proc/self/ns/net; hostname; test -d \(folder.path) && echo home
            cat /proc/self/limits
            """
        for order in [["--preset", "test"] + options, options + ["--preset", "test"]] {
            let seen = place == .host ? try onHost(script, order) : try inRoot(script, order)
            let network = try run(["readlink", "/proc/self/ns/net"]).output
            #expect(seen.status == 0 && seen.error == "", "\(seen)")
            #expect(Array(seen.lines.prefix(3)) == [network, "other", "home"], "\(seen)")
            #expect(limit(seen, TestPresetTests.processes) == ["500", "600"], "\(seen)")
            #expect(limit(seen, TestPresetTests.data) == ["unlimited", "unlimited"], "\(seen)")
        }
    }

    // MARK: Output and what is left

    @Test(arguments: Place.allCases)
    func outputAndStatusAreUntouched(place: Place) throws {
        let seen = try suite("echo out; echo error >&2; exit 77", in: place)
        expect(seen, Outcome(status: 77, output: "out", error: "error"))
        expect(try suite("kill -ABRT $$", in: place), exits: 128 + SIGABRT)
        let bytes = "printf '\\0\\377\\r\\n' | od -An -tx1; head -c 100000 /dev/zero | tr '\\0' x"
        let whole = try suite(bytes, in: place)
        expect(whole, prints: " 00 ff 0d 0a\n" + String(repeating: "x", count: 100_000))
    }

    @Test(arguments: Place.allCases)
    func aDaemonLeftBehindIsGone(place: Place) throws {
        let marker = "86420.\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            perl -MPOSIX -e 'fork && exit; setsid(); fork && exit; $SIG{$_} = "IGNORE" for qw(HUP TERM);
                open STDIN, "</dev/null"; open STDOUT, ">/dev/null"; open STDERR, ">/dev/null";
                open my $f, ">", "/tmp/pid"; close $f; sleep 86400' \(marker)
            while [ ! -e /tmp/pid ]; do sleep 0.01; done
            exit 4
            """
        expect(try suite(script, in: place), exits: 4)
        #expect(try HostState.processes(marker) == [])
    }

    /// So do test drivers end a test that takes too long.
    @Test func killedWithNsrun() throws {
        let marker = "86421.\(UInt32.random(in: 0...UInt32.max))"
        let script = "trap '' TERM HUP; (setsid sleep \(marker) &); echo ready; sleep \(marker)"
        let test = try Conversation([
            Bench.current().nsrun, "--preset", "test", "--", "sh", "-c", script,
        ])
        #expect(test.line() == "ready")
        test.child.send(SIGKILL)
        test.child.wait()
        #expect(try HostState.processesGo(marker))
    }

    @Test(arguments: Place.allCases)
    func nothingStaysMounted(place: Place) throws {
        let tree = try workingCopy(in: NSHomeDirectory())
        let before = try HostState.mounts()
        expect(try suite(":", in: place, directory: tree.path), exits: 0)
        expect(try run(["rm", "-r", tree.path]), exits: 0)
        #expect(try HostState.mounts() == before)
    }
}
