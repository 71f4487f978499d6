// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace
import Glibc

@testable import NamespaceKit

extension FuzzTarget {
    /// What comes from a run, whose command may find a way to write there.
    static let report = FuzzTarget(name: "report") { bytes in
        // Made once, and kept: what it holds looks lost to LeakSanitizer, which does not know pointers with marks in them.
        let plan = withoutLeaks { Run.plan }
        var ends: [Int32] = [-1, -1]
        guard nsrun_socket_pair(&ends) == 0 else { fail("no sockets") }
        _ = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, min($0.count, 65536)) }
        close(ends[1])
        defer { close(ends[0]) }
        let report = UnsafeMutablePointer<nsrun_report>.allocate(capacity: 1)
        defer { report.deallocate() }
        report.initialize(to: nsrun_report())
        var passed: [Int32] = [-1, -1]
        while nsrun_read_report(ends[0], report, nil, &passed) == 1 {
            if let leftover = Leftover(report, (passed[0], passed[1])) { leftover.close() }
            _ = ResourceUsage(report)
            let error = Diagnosis(plan: plan, facts: HostFacts()).explain(.init(report))
            demand(isLine(error.message), "a message of several lines")
            demand(isLine(error.remedy ?? ""), "a remedy of several lines")
        }
    }
}

@_silgen_name("__lsan_disable") private func disableLeakSanitizer()
@_silgen_name("__lsan_enable") private func enableLeakSanitizer()

private func withoutLeaks<Value>(_ body: () -> Value) -> Value {
    disableLeakSanitizer()
    defer { enableLeakSanitizer() }
    return body()
}

/// Nothing that a terminal takes for more than text.
func isLine(_ message: String) -> Bool {
    message.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
}

private enum Run {
    static let plan: LaunchPlan = {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .rootfs("/srv/debian")
        request.root.layer = .memory
        guard let plan = try? Planner.plan(request, on: HostFacts(), as: .parent) else {
            fail("no plan")
        }
        return plan
    }()
}
