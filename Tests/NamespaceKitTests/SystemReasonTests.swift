import Glibc
import Testing

@testable import NamespaceKit

@Suite("Reasons as bubblewrap gives them") struct SystemReasonTests {
    @Test("are glibc's, whatever nsrun is built with", arguments: Int32(1)...133)
    func areThoseOfGlibc(code: Int32) {
        #expect(systemReason(code) == String(cString: strerror(code)))
    }
}
