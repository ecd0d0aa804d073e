import Platform

/// What is known of a connection when a request is about to be written to it, and what follows from that.
struct ConnectionCheck {
    /// Gateways, NAT tables and a suspended machine forget connections without a word. One that was idle for longer than
    /// this may be dead, so it gets `firstByteOfIdle` to prove otherwise.
    static let longestTrustedIdle = Duration.seconds(5)
    /// Ten times what the service takes for an answer at its worst.
    static let firstByteOfIdle = Duration.seconds(3)

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
    /// Bytes wait on it that no request of ours asked for, or it has ended.
    var hasInput = false
    var idle = Duration.zero
    /// libcurl wrote this request to another kept connection before, which turned out to be dead.
    var wasWrittenBefore = false
    /// A failure of this attempt would be followed by another.
    var hasAnotherAttempt = false

    var decision: Decision {
        // A new connection that already has an answer belongs to a peer that does not wait for requests. A second one would
        // be no better.
        guard isKept else { return hasInput ? .refuse : .use(firstByteWithin: nil) }
        if isCondemned || hasInput || wasWrittenBefore { return .replace }
        return .use(firstByteWithin: hasAnotherAttempt && idle > Self.longestTrustedIdle ? Self.firstByteOfIdle : nil)
    }
}
