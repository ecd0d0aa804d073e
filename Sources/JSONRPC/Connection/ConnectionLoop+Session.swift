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
            let id = try parameters(of: request, in: bytes, names: method.parameterNames).requiredToken("id")
            guard [.string, .number, .null].contains(id.kind) else {
                throw .invalidParams("id", "must be the id of a request: a string, a number or null")
            }
            connection.end(.requestCancelled) { $0.calls(withID: RequestID(id, in: bytes)) }
        case .shutdown:
            guard !lifecycle.refusesRequests else { throw .shuttingDown }
            _ = try parameters(of: request, in: bytes, names: method.parameterNames)
            lifecycle.shutDown(now: connection.configuration.clock.now)
        case .exit:
            lifecycle.exit()
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
