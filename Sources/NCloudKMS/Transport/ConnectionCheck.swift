import KMSPlatform

/// What is known about a connection when a request is about to be written to it, and the decision that follows.
struct ConnectionCheck {
    /// Gateways, NAT tables and suspended machines drop connections silently. One that was idle for longer than this
    /// may be dead, so its answer must begin within `firstByteOfIdle`.
    static let longestTrustedIdle = Duration.seconds(5)
    /// Ten times the service's slowest answer.
    static let firstByteOfIdle = Duration.seconds(3)

    /// Data that arrives this soon after an answer belongs to the same request.
    static let longestDelayOfSurplus = Duration.seconds(1)

    /// The unread input of a connection before its request is written.
    enum Input: Comparable {
        case nothing
        /// The peer has closed the connection, or TLS has.
        case end
        case data

        /// - Parameters:
        ///   - count: the number of bytes in the socket; 0 means its end.
        ///   - isEncrypted: with TLS, a few bytes are an alert, which ends every connection. No answer is that short.
        init(count: Int, isEncrypted: Bool) {
            self = count > (isEncrypted ? Self.longestAlert : 0) ? .data : .end
        }

        /// The size of a record with the two bytes of an alert, with the TLS 1.2 cipher that adds the most.
        static let longestAlert = 96
    }

    enum Decision: Equatable {
        /// - Parameter firstByteWithin: how soon the answer must begin; nil: within the attempt's time.
        case use(firstByteWithin: Duration?)
        /// Close it, and write the request to a new one. This does not count as an attempt.
        case replace
        /// Close it: the attempt has failed.
        case refuse
    }

    /// Whether it has carried another request.
    var isKept = false
    /// Whether it was given up while it was idle.
    var isCondemned = false
    /// The unread input, which none of our requests asked for.
    var input = Input.nothing
    var idle = Duration.zero
    /// Whether libcurl has already written this request to another kept connection, which was dead.
    var wasWrittenBefore = false
    /// Whether another attempt follows if this one fails.
    var hasAnotherAttempt = false

    /// Whether the peer sends more than one answer to a request.
    var showsSurplus: Bool { isKept && !isCondemned && input == .data && idle < Self.longestDelayOfSurplus }

    var decision: Decision {
        // A new connection that already has an answer belongs to a peer that does not wait for requests. A second
        // connection would be no better.
        guard isKept else { return input == .nothing ? .use(firstByteWithin: nil) : .refuse }
        if isCondemned || input != .nothing || wasWrittenBefore { return .replace }
        return .use(firstByteWithin: hasAnotherAttempt && idle > Self.longestTrustedIdle ? Self.firstByteOfIdle : nil)
    }
}
