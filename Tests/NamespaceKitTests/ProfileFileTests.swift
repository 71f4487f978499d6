// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Seccomp profiles in the form of the OCI runtime specification.
@Suite struct ProfileFileTests {
    private func program(_ text: String, _ facts: HostFacts = .alice) throws -> [UInt8] {
        try ProfileFile(YAMLNode.parse(Array(text.utf8)), facts).program()
    }

    /// A profile that has one rule more than none at all: its program differs where the rule holds.
    private func holds(_ conditions: String, _ facts: HostFacts = .alice) throws -> Bool {
        let rule = #"{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"\#(conditions)}"#
        let with = try program(
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\#(rule)]}"#, facts)
        return try with != program(#"{"defaultAction": "SCMP_ACT_ALLOW"}"#, facts)
    }

    @Test func conditionsOfEngines() throws {
        #expect(try holds(""))
        #expect(try !holds(#", "includes": {"caps": ["CAP_SYS_ADMIN"]}"#))
        #expect(try holds(#", "excludes": {"caps": ["CAP_SYS_ADMIN"]}"#))
        #expect(try holds(#", "includes": {"arches": ["amd64"]}"#))
        #expect(try !holds(#", "includes": {"arches": ["s390x"]}"#))
        #expect(try !holds(#", "excludes": {"arches": ["amd64"]}"#))
        #expect(try holds(#", "includes": {"minKernel": "4.8"}"#))
        #expect(try !holds(#", "includes": {"minKernel": "99.1"}"#))
        #expect(try holds(#", "includes": {}, "excludes": {}, "comment": "why""#))
    }

    @Test func argumentsAndErrorsCount() throws {
        let one = #", "args": [{"index": 1, "value": 511, "op": "SCMP_CMP_EQ"}]"#
        let masked =
            #", "args": [{"index": 1, "value": 511, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]"#
        #expect(try holds(one) && holds(masked) && holds(#", "errnoRet": 28"#))
    }

    @Test(arguments: [
        ("[]", "an object is wanted here"),
        ("{}", "the field defaultAction is missing"),
        (#"{"defaultAction": "SCMP_ACT_TRACE"}"#, "the action SCMP_ACT_TRACE is not known here"),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}"#,
            "the field listenerPath is not known here"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}"#,
            "the flag SECCOMP_FILTER_FLAG_LOG is not known here"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["X86"]}"#,
            "X86 is no architecture; as in SCMP_ARCH_X86_64"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ZX81"]}"#,
            "the architecture zx81 is not known here"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}"#,
            "the rule names no call"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}]}"#,
            "5000 is too large"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#,
            "6 is too large"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": "y", "op": "SCMP_CMP_EQ"}]}]}"#,
            "a number is wanted here"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "EQ"}]}]}"#,
            "the comparison EQ is not known here"
        ),
    ])
    func whatIsNoProfile(text: String, reason: String) throws {
        let error = #expect(throws: YAMLError.self) { try program(text) }
        #expect(error?.reason == reason)
    }
}
