// SPDX-License-Identifier: Apache-2.0

import CHost

/// The caller's terminal. A run with a process group of its own is the terminal's foreground group as long as the
/// caller's job, which nsrun is of, is in the foreground: the keys reach the run, and it may read.
///
/// It is lent at the start to a run that is the whole job, and to any other when that is about to stop for want of it:
/// a command beside others of the job (`nsrun a | less`, a script that reads on meanwhile) leaves it to them, and until
/// it takes part, this process hands on what the keys send to the job.
struct CallersTerminal {
    /// An open descriptor of it, -1 where there is none.
    private(set) var descriptor: Int32 = -1
    /// The caller's job.
    private let job = getpgrp()
    /// The run's process group; nil where it cannot have the terminal without the job.
    private let run: Int32?
    /// The run is of the job, and has what that has.
    private let isOfJob: Bool
    private(set) var isLent = false
    /// The run has been seen to need it, or nobody else is there that could.
    private var isWanted = false

    /// What a terminal sends to its foreground group.
    static let signals: [Int32] = [SIGINT, SIGQUIT, SIGTSTP, SIGHUP, SIGCONT, SIGWINCH]

    init(_ group: LaunchPlan.ProcessGroup, run: Int32) {
        self.run = group == .own ? run : nil
        isOfJob = group == .callers
        // Neither a terminal of somebody else's nor one whose foreground is another job's.
        guard nsrun_terminal_group(0) == job else { return }
        descriptor = 0
        // A shell with job control starts each job in a group that its first process leads.
        isWanted = getpid() == job && nsrun_terminal_group(1) == job
        lend()
    }

    /// The job is in the foreground, itself or by what it has lent the terminal to.
    private var isInForeground: Bool {
        let foreground = nsrun_terminal_group(descriptor)
        return foreground == job || isBrother(foreground)
    }

    /// The group is the run of another nsrun that is of the same job, as in `nsrun a | nsrun b`.
    private func isBrother(_ group: Int32) -> Bool {
        guard group > 0,
            let text = HostFacts.readFile(ByteString("/proc/\(group)/stat"), limit: 4096),
            let end = text.lastIndex(of: UInt8(ascii: ")"))
        else { return false }
        // After the name: a blank, the state, a blank, the parent (proc_pid_stat(5)).
        let fields = ByteString(bytes: Array(text[(end + 1)...])).split(on: UInt8(ascii: " "))
        guard fields.count > 2, let parent = fields[2].number() else { return false }
        return getpgid(Int32(truncatingIfNeeded: parent)) == job
    }

    /// Lends it where the job has it. Whether the run has it now.
    @discardableResult
    private mutating func lend() -> Bool {
        guard let run, isWanted, descriptor >= 0, nsrun_terminal_group(descriptor) == job else {
            return false
        }
        isLent = nsrun_set_terminal_group(descriptor, run) == 0
        return isLent
    }

    /// The run was about to read from it or to change it, and has stopped. Whether it can go on with it.
    mutating func lendOnDemand() -> Bool {
        guard let run else { return false }
        if descriptor < 0 { descriptor = nsrun_open_terminal() }
        guard descriptor >= 0, isInForeground else { return false }
        isWanted = true
        isLent = nsrun_set_terminal_group(descriptor, run) == 0
        return isLent
    }

    /// Before this process stops: the caller's shell finds the terminal as its job had it.
    mutating func takeBack() {
        guard descriptor >= 0 else { return }
        if isOfJob {
            // A shell inside may have given it to one of its own jobs.
            if nsrun_terminal_group(descriptor) != job {
                _ = nsrun_set_terminal_group(descriptor, job)
            }
        } else if isLent {
            _ = nsrun_set_terminal_group(descriptor, job)
        }
        isLent = false
    }

    /// When this process goes on: in the foreground again, or in the background.
    mutating func lendAgain() { lend() }
}
