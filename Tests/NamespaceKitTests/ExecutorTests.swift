// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

@Suite struct ExecutorTests {
    @Test func everyOperationHasAVerb() {
        for operation in 0..<NSRUN_OP_COUNT.rawValue {
            #expect(nsrun_has_verb(operation), "operation \(operation) of nsrun_op")
        }
        #expect(!nsrun_has_verb(NSRUN_OP_COUNT.rawValue))
        #expect(!nsrun_has_verb(.max))
    }
}
