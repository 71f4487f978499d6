// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import NamespaceKit

/// What is said at the end of a run, and by the doctor.
@Suite struct ReportTests {
    @Test(
        arguments: [
            (.usage, 125), (.setup, 125), (.notExecutable, 126), (.notFound, 127),
        ] as [(LaunchError.Kind, Int32)])
    func failuresAsStatuses(kind: LaunchError.Kind, status: Int32) {
        #expect(LaunchError(kind, "x").exitStatus == status)
    }

    @Test func endsAsStatuses() {
        #expect(NamespaceKit.ExitStatus.exited(0).shellStatus == 0)
        #expect(NamespaceKit.ExitStatus.exited(255).shellStatus == 255)
        #expect(NamespaceKit.ExitStatus.signaled(15).shellStatus == 143)
        #expect(Supervisor.timeoutStatus == 124)
    }

    /// The bit for a core dump is not part of the signal's number.
    @Test(
        arguments: [
            (0, .exited(0)), (0x0700, .exited(7)), (0xff00, .exited(255)), (15, .signaled(15)),
            (0x8b, .signaled(11)),
        ] as [(Int32, NamespaceKit.ExitStatus)])
    func waitStatuses(status: Int32, wanted: NamespaceKit.ExitStatus) {
        #expect(NamespaceKit.ExitStatus(waitStatus: status) == wanted)
    }

    /// A command that reaches the channel to the launcher may write any number there.
    @Test func aForgedAccountOfResourcesIsNoMoreThanFalse() {
        var usage = rusage()
        usage.ru_utime = timeval(tv_sec: .max, tv_usec: .max)
        usage.ru_stime = timeval(tv_sec: .min, tv_usec: .min)
        usage.ru_maxrss = 7
        #expect(ResourceUsage(usage).maximumResidentSize == 7)
    }

    @Test func aFindingIsALineAndItsRemedyAnother() {
        var finding = Doctor.Finding(
            what: "overlay", works: false, isEssential: false, detail: "not there",
            remedy: "modprobe overlay")
        #expect(finding.text == "missing overlay: not there\n          modprobe overlay\n")
        finding.isEssential = true
        #expect(finding.text.hasPrefix("MISSING overlay"))
        finding.works = true
        finding.detail = ""
        #expect(finding.text == "ok      overlay\n")
    }

    /// The library's words are its own properties; the options are the command line's.
    @Test func theLibraryDoesNotSpeakOfOptions() {
        let words = OptionNames()
        for word in [
            words.unshare, words.shareProcesses, words.memoryLayer, words.workingDirectory,
            words.doctor,
        ] {
            #expect(!word.contains("--"))
        }
        let refusals: [HostRefusal] = [
            .debianSysctl, .appArmor, .limit, .seccomp, .chroot, .unknown,
        ]
        for refusal in refusals { #expect(!refusal.words.1.contains("--"), "\(refusal)") }
    }
}
