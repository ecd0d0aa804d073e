import KMSJSON

extension JSONValue {
    /// The JSON as it was written.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
