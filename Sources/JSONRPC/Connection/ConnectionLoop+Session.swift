import JSON
import Platform

/// The requests that are about the connection itself.
extension ConnectionLoop {
    /// Obeys a `SessionMethod`; false for anything else.
    mutating func handleSession(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: Int?
    ) throws(RPCError) -> Bool {
        guard let method = SessionMethod(request.method, in: bytes) else { return false }
        switch method {
        case .cancelRequest:
            let id = try parameters(of: request, in: bytes, names: method.parameterNames).required("id")
            guard [.string, .number, .null].contains(id.kind) else {
                throw .invalidParams("id", "must be the id of a request: a string, a number or null")
            }
            let wanted = WantedID(id)
            connection.end(.requestCancelled) { wanted.matches($0.id) }
        case .shutdown:
            guard !lifecycle.refusesRequests else { throw .shuttingDown }
            _ = try parameters(of: request, in: bytes, names: method.parameterNames)
            lifecycle.shutDown(now: connection.configuration.clock.now)
        case .exit:
            lifecycle.exit(now: connection.configuration.clock.now)
        }
        if let id = request.id { answer(Array(bytes[id.range]), batch: batch, nil) { $0.null() } }
        return true
    }

    private func parameters(
        of request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, names: [String]
    ) throws(RPCError) -> Parameters {
        try Parameters(request.params.map { RawParameters(bytes: bytes, token: $0) }, names: names)
    }
}

/// The id that a cancel names. Strings are compared by their characters, numbers as they are written.
private struct WantedID {
    private let bytes: ArraySlice<UInt8>
    private let string: String?

    init(_ id: JSONValue) {
        bytes = id.bytes
        string = id.string
    }

    func matches(_ id: [UInt8]?) -> Bool {
        guard let id else { return false }
        if id.elementsEqual(bytes) { return true }
        // The same characters in other bytes: one of the two has escapes.
        let backslash = UInt8(ascii: "\\")
        guard let string, id.first == UInt8(ascii: "\""), id.contains(backslash) || bytes.contains(backslash) else {
            return false
        }
        return (try? JSONValue(parsing: id))?.string == string
    }
}
