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
            connection.end(.requestCancelled) { $0.hasID(id) }
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
        try Parameters(request.params.map { JSONValue(copying: $0, from: bytes) }, names: names)
    }
}

extension Call {
    /// Whether the request had this id: strings are compared by their characters, numbers as they are written.
    fileprivate func hasID(_ other: JSONValue) -> Bool {
        guard let id else { return false }
        if id.elementsEqual(other.bytes) { return true }
        guard let string = other.string, let value = try? JSONValue(parsing: id) else { return false }
        return value.string == string
    }
}
