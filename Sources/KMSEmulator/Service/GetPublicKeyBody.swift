import JSON

/// The body of a get-pub-key request.
enum GetPublicKeyBody {
    /// "1–100" (the API reference).
    static let versions = 1...100

    enum Failure: Error, Equatable {
        /// No JSON: the gateway refuses it (400 with 100).
        case syntax(String)
        /// JSON, but not what the operation takes: the service refuses it (`INVALID_REQUEST`).
        case invalid
    }

    /// The version that is asked for, or nil for the most recent one. No body, an empty one and `{}` are the same.
    static func version(in body: [UInt8]) throws(Failure) -> Int? {
        // What a client sends for the most recent version, most of the time.
        if body.isEmpty || body == [UInt8(ascii: "{"), UInt8(ascii: "}")] { return nil }
        let value: JSONValue
        do { value = try JSONValue(parsing: body) } catch { throw .syntax(error.description) }
        guard value.kind == .object else { throw .invalid }
        guard let version = value["keyVersion"] else { return nil }
        guard let number = version.integer, versions.contains(number) else { throw .invalid }
        return number
    }
}
