import CNamespace

/// Sets of capabilities, a bit for each (capabilities(7)), by way of libcap.
enum Capabilities {
    static var all: UInt64 { nsrun_capability_all() }

    static func number(named name: ByteString) -> Int32? {
        let value = (name.bytes + [0]).withUnsafeBufferPointer {
            $0.withMemoryRebound(to: CChar.self) { nsrun_capability_named($0.baseAddress!) }
        }
        return value >= 0 ? value : nil
    }
}
