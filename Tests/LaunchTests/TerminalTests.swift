// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A command on a terminal: the keys reach it once, and it keeps the terminal through stop and go.
@Suite struct TerminalTests {
    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"], ["--share-pid", "--timeout", "60"]])
    func interruptFromTheKeyboardArrivesOnce(shape: [String]) throws {
        let terminal = try Terminal(nsrun: shape + ["perl", "-e", TerminalTests.counter])
        terminal.expect("ready")
        for count in 1...5 {
            terminal.type("\u{3}")
            terminal.expect("INT \(count)")
            terminal.type("next\n")
            terminal.expect("line \(count)")
        }
        terminal.type("\u{4}")
        terminal.expect("in all 5")
        #expect(terminal.child.wait() == 0)
    }

    /// Counts interrupts and lines; a doubled interrupt shows in the numbers that follow.
    private static let counter = """
        $| = 1; use POSIX; my ($i, $l) = (0, 0);
        POSIX::sigaction(SIGINT, POSIX::SigAction->new(sub { $i++; syswrite STDOUT, "INT $i\\n" }));
        print "ready\\n";
        while (1) {
            my $n = sysread STDIN, my $b, 100;
            next if !defined $n;
            last if !$n;
            $l++; syswrite STDOUT, "line $l\\n";
        }
        print "in all $i\\n";
        """

    /// TIOCSTI types on the terminal; the shell outside would find it there.
    @Test(arguments: [
        [], ["--share-pid"], ["--as-pid-1"], ["--uid", "0", "--cap-add", "ALL"],
        ["--preset", "test"],
    ])
    func nothingIsTypedInTheCallersPlace(shape: [String]) throws {
        let script = """
            use POSIX; my $call = (POSIX::uname())[4] eq "x86_64" ? 16 : 29; my $key = "x";
            for my $request (0x5412, 0x7fffffff00005412) {
                my $typed = syscall($call, 0, $request, $key) == 0;
                print $typed ? "typed" : $!{EPERM} || $!{EIO} ? "refused" : "$!", " once\\n";
            }
            """
        let terminal = try Terminal(nsrun: shape + ["perl", "-e", script])
        // By the filter or, with EIO, by the kernel itself.
        for _ in 0..<2 { terminal.expect("refused once") }
        #expect(terminal.child.wait() == 0)
    }

    @Test(arguments: [[], ["--share-pid"]])
    func interruptFromTheKeyboardEndsACommandThatDoesNotCare(shape: [String]) throws {
        let terminal = try Terminal(nsrun: shape + ["sh", "-c", "echo ready; exec sleep 1000"])
        terminal.expect("ready")
        terminal.type("\u{3}")
        #expect(terminal.child.wait() == 128 + SIGINT)
    }

    @Test(arguments: [[], ["--share-pid"]])
    func stopAndForegroundKeepTheTerminal(shape: [String]) throws {
        let bench = try Bench.current()
        let options = shape.joined(separator: " ")
        let terminal = try Terminal(["bash", "--norc", "--noprofile", "-i"])
        terminal.type("PS1='prompt''> '; stty -echo\n")
        terminal.expect("prompt> ")
        terminal.type(
            "\(bench.nsrun) --rootfs \(bench.rootfs) \(options) sh -c 'echo rea''dy; while read -r x; do echo got $x; done; echo e''nd'\n"
        )
        terminal.expect("ready")
        for round in 1...3 {
            terminal.type("one\(round)\n")
            terminal.expect("got one\(round)")
            terminal.type("\u{1a}")
            terminal.expect("Stopped")
            terminal.expect("prompt> ")
            terminal.type("fg\n")
            terminal.expect("while read")
        }
        terminal.type("two\n")
        terminal.expect("got two")
        terminal.type("\u{4}")
        terminal.expect("end")
        terminal.expect("prompt> ")
        terminal.type("echo status $?; exit\n")
        terminal.expect("status 0")
        terminal.child.wait()
    }

    // MARK: A run beside others of its job

    /// An interactive shell with `run`, which starts a script in the rootfs.
    private func shell(_ options: [String] = []) throws -> Terminal {
        let bench = try Bench.current()
        let terminal = try Terminal(["bash", "--norc", "--noprofile", "-i"])
        let words = ([bench.nsrun, "--rootfs", bench.rootfs] + options).joined(separator: " ")
        terminal.type("PS1='prompt''> '; stty -echo; run() { \(words) sh -c \"$@\"; }\n")
        terminal.expect("prompt> ")
        return terminal
    }

    static let shapes = [[], ["--share-pid"], ["--as-pid-1"], ["--new-session"]]

    /// `nsrun a | less`: what the keys say is for the pager.
    @Test(arguments: shapes)
    func theOtherEndOfAPipeReadsTheTerminal(shape: [String]) throws {
        let terminal = try shell(shape)
        terminal.type(
            "run 'echo one; sleep 0.3; echo two' | bash -c 'read -r a; stty -echo </dev/tty; echo ask; read -r key </dev/tty; read -r b; echo $a $b $key'\n"
        )
        terminal.expect("ask")
        terminal.type("key\n")
        terminal.expect("one two key")
        terminal.expect("prompt> ")
    }

    /// A script that goes on while the run does may ask the user.
    @Test(arguments: shapes)
    func theScriptThatStartedItReadsTheTerminal(shape: [String]) throws {
        let bench = try Bench.current()
        let words = ([bench.nsrun, "--rootfs", bench.rootfs] + shape).joined(separator: "', '")
        let script = """
            import subprocess
            run = subprocess.Popen(['\(words)', 'sh', '-c', 'echo started; sleep 0.5; echo ended'])
            print('read', input()); print('status', run.wait())
            """
        let terminal = try Terminal(["python3", "-c", script])
        terminal.expect("started")
        terminal.type("a line\n")
        terminal.expect("read a line")
        terminal.expect("status 0")
        #expect(terminal.child.wait() == 0)
    }

    /// A command that needs the terminal has it, wherever in the job it stands.
    @Test(
        arguments: [[], ["--share-pid"]],
        ["bash -c 'run \"$s\"'", "true | run \"$s\"", "run \"$s\" | cat", "(run \"$s\"; true)"])
    func aCommandThatReadsTheTerminalHasIt(shape: [String], job: String) throws {
        let terminal = try shell(shape)
        let script = "stty -echo </dev/tty; echo a\"\"sk; read -r x </dev/tty; echo got $x"
        terminal.type("export -f run; export s='\(script)'\n")
        terminal.expect("prompt> ")
        terminal.type(job + "\n")
        terminal.expect("ask")
        terminal.type("this\n")
        terminal.expect("got this")
        terminal.expect("prompt> ")
        terminal.type("read -r y; echo shell $y\n")
        terminal.type("that\n")
        terminal.expect("shell that")
    }

    /// The keyboard's interrupt is for all of a job: also for what a shell inside waits for, which would else go on.
    @Test(
        // The kernel gives pid 1 no signal that it has not asked for.
        arguments: shapes.filter { $0 != ["--as-pid-1"] },
        ["run \"$s\"", "true | run \"$s\"", "run \"$s\" | cat", "bash -c 'run \"$s\"'"])
    func interruptEndsTheWholeJob(shape: [String], job: String) throws {
        let marker = "interrupted-\(UUID().uuidString)"
        let terminal = try shell(shape)
        // A shell would lose a signal that comes between its fork and its exec.
        let script = "perl -e \"syswrite STDOUT, qq(rea) . qq(dy); sleep 1000\" \(marker); true"
        terminal.type("export -f run; export s='\(script)'\n")
        terminal.expect("prompt> ")
        terminal.type(job + "\n")
        terminal.expect("ready")
        terminal.type("\u{3}")
        terminal.expect("prompt> ")
        #expect(try HostState.processesGo(marker))
    }

    /// And its stop: the shell has the prompt, and fg goes on with all of it.
    @Test(
        arguments: [[], ["--share-pid"]],
        ["run \"$s\"", "true | run \"$s\"", "run \"$s\" | cat"])
    func stopAndForegroundAreOfTheWholeJob(shape: [String], job: String) throws {
        let terminal = try shell(shape)
        let script =
            "perl -e \"syswrite STDOUT, qq(rea) . qq(dy); sleep 1; syswrite STDOUT, qq(en) . qq(d)\"; true"
        terminal.type("s='\(script)'\n")
        terminal.expect("prompt> ")
        terminal.type(job + "\n")
        terminal.expect("ready")
        terminal.type("\u{1a}")
        terminal.expect("Stopped")
        terminal.expect("prompt> ")
        terminal.type("fg\n")
        terminal.expect("end")
        terminal.expect("prompt> ")
        terminal.type("bg; echo still; jobs\n")
        terminal.expect("still")
        terminal.expect("prompt> ")
    }

    @Test(arguments: [[], ["--share-pid"]])
    func shellInsideHasJobControl(shape: [String]) throws {
        let terminal = try Terminal(nsrun: shape + ["bash", "--norc", "--noprofile", "-i"])
        terminal.type("PS1='prompt''> '; stty -echo\n")
        terminal.expect("prompt> ")
        terminal.type("cat\n")
        terminal.type("echoed\n")
        terminal.expect("echoed")
        terminal.type("\u{1a}")
        terminal.expect("Stopped")
        terminal.expect("prompt> ")
        terminal.type("fg\n")
        terminal.expect("cat")
        terminal.type("again\n")
        terminal.expect("again")
        terminal.type("\u{4}")
        terminal.expect("prompt> ")
        terminal.type("exit 9\n")
        #expect(terminal.child.wait() == 9)
    }

    @Test func newSizeReachesTheCommand() throws {
        let script = "trap 'stty size' WINCH; echo ready; while :; do read -r x && break; done"
        let terminal = try Terminal(nsrun: ["bash", "-c", script])
        terminal.expect("ready")
        terminal.resize(rows: 31, columns: 97)
        terminal.type("\n")
        terminal.expect("31 97")
        terminal.child.wait()
    }

    @Test func newSessionHasNoTerminal() throws {
        let script = "(: </dev/tty) 2>/dev/null || echo without"
        let terminal = try Terminal(nsrun: ["--new-session", "sh", "-c", script])
        terminal.expect("without")
        #expect(terminal.child.wait() == 0)
    }

    @Test func interruptReachesACommandInASessionOfItsOwn() throws {
        let terminal = try Terminal(
            nsrun: [
                "--new-session", "sh", "-c",
                "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done",
            ])
        terminal.expect("ready")
        terminal.type("\u{3}")
        terminal.expect("caught")
        #expect(terminal.child.wait() == 4)
    }

    @Test func terminalHasItsNameInside() throws {
        let terminal = try Terminal(nsrun: ["sh", "-c", "test -t 0 && : </dev/tty && echo usable"])
        terminal.expect("usable")
        #expect(terminal.child.wait() == 0)
    }

    @Test func hangUpEndsTheCommand() throws {
        let marker = "86405.\(UInt32.random(in: 0...UInt32.max))"
        let terminal = try Terminal(nsrun: ["sh", "-c", "echo ready; sleep \(marker)"])
        terminal.expect("ready")
        terminal.hangUp()
        #expect(terminal.child.wait() == 128 + SIGHUP)
        #expect(try HostState.processesGo(marker))
    }
}

/// A pseudo-terminal with a child that it controls.
final class Terminal {
    let child: Child
    private var master: Int32
    private var received = ""

    init(_ command: [String]) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which the importer does not show.
        var unlocked: Int32 = 0
        var number: Int32 = 0
        guard ioctl(master, 0x4004_5431, &unlocked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else { throw POSIXError(.ENXIO) }
        child = try Child(
            command, environment: ["TERM": "dumb"], descriptors: [:],
            terminal: "/dev/pts/\(number)")
    }

    convenience init(nsrun arguments: [String]) throws {
        let bench = try Bench.current()
        try self.init([bench.nsrun, "--rootfs", bench.rootfs] + arguments)
    }

    /// nsrun without a command, which starts a shell: it is this one.
    static func expectShell(
        _ program: String, _ arguments: [String], environment: [String: String?] = [:]
    ) throws {
        var words = ["env"]
        for (name, value) in environment {
            words += value.map { ["\(name)=\($0)"] } ?? ["-u", name]
        }
        let terminal = try Terminal(words + [Bench.current().nsrun] + arguments)
        // What is typed is shown as well.
        terminal.type("echo shell''=$(readlink /proc/$$/exe)=; exit\n")
        terminal.expect("shell=\(program)=")
        #expect(terminal.child.wait() == 0)
    }

    deinit { hangUp() }

    func hangUp() {
        if master >= 0 { close(master) }
        master = -1
    }

    func type(_ keys: String) {
        let bytes = Array(keys.utf8)
        _ = write(master, bytes, bytes.count)
    }

    func resize(rows: UInt16, columns: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// Waits until this text has been shown, and forgets all up to its end.
    func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let place = received.range(of: text) {
                received.removeSubrange(..<place.upperBound)
                return
            }
            let count = Pipe.isReadable(master) ? read(master, &buffer, buffer.count) : 0
            guard count > 0 else {
                Issue.record(
                    "\"\(text)\" was not shown, but: \(received)", sourceLocation: sourceLocation)
                return
            }
            received += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
