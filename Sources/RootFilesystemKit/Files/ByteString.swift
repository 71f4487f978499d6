import Glibc

/// A file name, a path or a link target as the kernel sees it: bytes without a NUL, in no encoding.
public struct ByteString: Hashable, Comparable, Sendable {
  public var bytes: [UInt8]

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public init(_ string: String) {
    bytes = Array(string.utf8)
  }

  public init(cString: UnsafePointer<CChar>) {
    let length = strlen(cString)
    bytes = Array(UnsafeRawBufferPointer(start: cString, count: length))
  }

  /// Calls `body` with the bytes and a terminating NUL.
  public func withCString<Result>(
    _ body: (UnsafePointer<CChar>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
      for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
      buffer[bytes.count] = 0
      // The allocation has at least one element, so it has a base address.
      guard let start = UnsafePointer(buffer.baseAddress) else { return try body("") }
      return try body(start)
    }
  }

  /// For messages: what is not UTF-8, and what would upset a terminal, is replaced.
  public var printable: String {
    String(
      String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
        scalar.value < 0x20 || scalar.value == 0x7f ? "?" : Character(scalar)
      })
  }

  public static func < (left: ByteString, right: ByteString) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
