import KMSJSON

extension JSONValue {
    /// A number's value, rounded to the nearest that a `Double` can hold; nil for other kinds.
    package var double: Double? {
        kind == .number ? Double(String(decoding: bytes, as: UTF8.self)) : nil
    }
}
