// SPDX-License-Identifier: Apache-2.0

import CMuslParts
import Glibc
import Testing

@Suite("The words for errors") struct MessageTests {
    @Test("are glibc's, though nsrun is linked with musl", arguments: Int32(-1)...134)
    func areThoseOfGlibc(code: Int32) {
        #expect(String(cString: musl_strerror(code)) == String(cString: strerror(code)))
    }
}
