import KMSPlatform

/// What is known of a connection when a request is about to be written to it, and what follows from that.
struct ConnectionCheck {
    /// Gateways, NAT tables and a suspended machine forget connections without a word. One that was idle for longer than
    /// this may be dead, so it gets `firstByteOfIdle` to prove otherwise.
    static let longestTrustedIdle = Duration.seconds(5)
    /// Ten times what the service takes for an answer at its worst.
    static let firstByteOfIdle = Duration.seconds(3)

    /// What came this soon after an answer comes of the same request.
    static let longestDelayOfSurplus = Duration.seconds(1)

    /// What waits on a connection before its request is written.
    enum Input: Comparable {
        case nothing
        /// The peer has closed it, or TLS has said so.
        case end
        case data

        /// - Parameters:
        ///   - count: bytes in the socket; 0 is its end.
        ///   - isEncrypted: in TLS a few bytes are an alert, as at the end of every connection. No answer is that short.
        init(count: Int, isEncrypted: Bool) {
            self = count > (isEncrypted ? Self.longestAlert : 0) ? .data : .end
        }

        /// A record with the two bytes of an alert, by the most spacious cipher of TLS 1.2.
        static let longestAlert = 96
    }

    enum Decision: Equatable {
        /// - Parameter firstByteWithin: how soon the answer must begin; nil: within the attempt's time.
        case use(firstByteWithin: Duration?)
        /// Close it, and write the request to a new one. No attempt is counted.
        case replace
        /// Close it: the attempt has failed.
        case refuse
    }

    /// It carried another request before.
    var isKept = false
    /// It was given up while it was idle.
    var isCondemned = false
    /// What waits on it, which no request of ours has asked for.
    var input = Input.nothing
    var idle = Duration.zero
    /// libcurl wrote this request to another kept connection before, which turned out to be dead.
    var wasWrittenBefore = false
    /// A failure of this attempt would be followed by another.
    var hasAnotherAttempt = false

    /// The peer gives more than one answer to a request.
    var showsSurplus: Bool { isKept && !isCondemned && input == .data && idle < Self.longestDelayOfSurplus }

    var decision: Decision {
        // A new connection that already has an answer belongs to a peer that does not wait for requests. A second one would
        // be no better.
        guard isKept else { return input == .nothing ? .use(firstByteWithin: nil) : .refuse }
        if isCondemned || input != .nothing || wasWrittenBefore { return .replace }
        return .use(firstByteWithin: hasAnotherAttempt && idle > Self.longestTrustedIdle ? Self.firstByteOfIdle : nil)
    }
}
