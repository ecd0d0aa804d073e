import JSON

/// The methods by name. There are a few, so looking at each is faster than hashing a name.
struct MethodTable: Sendable {
    private let entries: [(name: [UInt8], method: any Method)]

    /// - Precondition: no two methods have the same name.
    init(_ methods: [any Method]) {
        precondition(Set(methods.map(\.name)).count == methods.count)
        entries = methods.map { (Array($0.name.utf8), $0) }
    }

    func method(named name: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) -> (any Method)? {
        if name.hasEscapes {
            let decoded = name.decoded(from: bytes)
            return entries.first { $0.name == decoded }?.method
        }
        let raw = UnsafeBufferPointer(rebasing: bytes[name.contents])
        return entries.first { $0.name.withUnsafeBufferPointer(raw.hasSameBytes) }?.method
    }
}
