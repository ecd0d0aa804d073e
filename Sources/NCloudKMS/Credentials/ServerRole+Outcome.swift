import Platform

extension ServerRole {
    /// Takes the outcome of the request that is under way.
    ///
    /// - Returns: the request to send next; nil when this was the last, and callers that wait may ask again.
    mutating func ended(_ outcome: Result<HTTPResponse, TransportFailure>, now: Instant) -> MetadataRequest? {
        switch outcome {
        case .success(let response):
            // By the clock that counts the keys' time: this machine's may be wrong.
            let wallClock = response.freshServerDate ?? response.received.wallClockMilliseconds
            return answered(
                status: response.status, body: response.body, now: now, wallClockMilliseconds: wallClock)
        case .failure(let failure):
            // The sentence becomes a part of another one.
            let reason = failure.message.hasSuffix(".") ? String(failure.message.dropLast()) : failure.message
            failed(reason, now: now)
            return nil
        }
    }
}

extension HTTPResponse {
    /// When it was written, by the clock of the server that wrote it; milliseconds since 1970-01-01T00:00:00Z.
    var serverDate: Int64? {
        headers.date.flatMap { HTTPDate.milliseconds(of: $0, now: received.wallClockMilliseconds) }
    }

    /// Nil for an answer that a cache has kept: its date is that of another day.
    fileprivate var freshServerDate: Int64? { headers.age == nil ? serverDate : nil }
}
