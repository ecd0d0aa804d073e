/// The names of an object's members, to find one that comes twice. Allocates nothing for small objects with plain
/// names, and takes linear time for large ones.
public struct JSONNameSet {
    /// Up to this many names are compared pair by pair, which is faster than hashing.
    private static let smallCount = 12

    private var ranges = InlineArray<12, Range<Int>>(repeating: 0..<0)
    private var count = 0
    /// All names, once there are many or one with escapes.
    private var decoded: Set<[UInt8]>?

    public init() {}

    /// Adds a name; false if it was there, compared after unescaping (RFC 8259, section 8.3).
    public mutating func insert(_ name: JSONToken, of bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if decoded == nil {
            if !name.hasEscapes, count < Self.smallCount {
                for index in 0..<count where Self.equal(ranges[index], name.contents, in: bytes) { return false }
                ranges[count] = name.contents
                count += 1
                return true
            }
            decoded = Set((0..<count).map { Array(bytes[ranges[$0]]) })
        }
        return decoded?.insert(name.decoded(from: bytes)).inserted ?? true
    }

    private static func equal(
        _ left: Range<Int>, _ right: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        UnsafeBufferPointer(rebasing: bytes[left]).hasSameBytes(as: UnsafeBufferPointer(rebasing: bytes[right]))
    }
}
