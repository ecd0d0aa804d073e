import KMSPlatform

/// The answer to one attempt, whatever its status.
struct HTTPResponse: Sendable {
    /// The maximum size of a body: a public key's answer is below 2 KiB.
    static let largestBodyBytes = 64 << 10

    var status: Int
    var headers: Headers
    var body: [UInt8]

    /// When the request was about to be written to the connection that answered.
    var sent: Instant
    /// When the status line of the final answer arrived.
    var received: Moment
    var timing: Timing
    /// False if a connection was opened for this attempt.
    var reusedConnection: Bool

    /// The header fields that are used, as sent, without the white space around them.
    struct Headers: Sendable, Equatable {
        var date: String?
        var age: String?
        var retryAfter: String?
        /// The first of `x-ncp-apigw-request-id`, `x-ncp-trace-id` and `x-ncp-request-id`, in this order, that was
        /// sent.
        var requestID: String?
    }

    /// One point in time on both clocks: the monotonic one for the round trip, the wall clock for its skew.
    struct Moment: Sendable, Equatable {
        var instant: Instant
        /// Milliseconds since 1970-01-01T00:00:00Z.
        var wallClockMilliseconds: Int64

        init(of clock: any TimeSource) {
            instant = clock.now
            wallClockMilliseconds = clock.wallClockMilliseconds
        }

        init(instant: Instant, wallClockMilliseconds: Int64) {
            self.instant = instant
            self.wallClockMilliseconds = wallClockMilliseconds
        }
    }

    /// How the attempt spent its time, in microseconds. A phase that was skipped or not reached is 0.
    struct Timing: Sendable, Equatable {
        var nameLookup: Int64 = 0
        var connect: Int64 = 0
        /// The TLS handshake, and the proxy's CONNECT if there is one.
        var tls: Int64 = 0
        /// From the complete request to the first byte of the answer.
        var firstByte: Int64 = 0
        var total: Int64 = 0
    }
}

extension HTTPResponse {
    /// The wait that `Retry-After` requests; a date in it is relative to the clock of the server that wrote it.
    var retryAfter: Duration? {
        headers.retryAfter.flatMap { RetryAfter.delay(of: $0, now: serverDate ?? received.wallClockMilliseconds) }
    }

    /// What it says about the service's clock.
    ///
    /// - Parameters:
    ///   - offset: the offset that the request was signed with.
    ///   - isRefusal: whether it refuses the request in a way that the clock may have caused.
    func clockSample(signedWith offset: Duration = .zero, isRefusal: Bool = false) -> ClockSkew.Sample {
        ClockSkew.Sample(
            serverDate: serverDate, hasAge: headers.age != nil, receivedMilliseconds: received.wallClockMilliseconds,
            roundTrip: received.instant - sent, signedWith: offset, isRefusal: isRefusal)
    }

    /// A past instant by the service's clock, in milliseconds since 1970-01-01T00:00:00Z; nil if the answer does not tell.
    func serviceTime(of instant: Instant) -> Int64? {
        ClockSkew.difference(clockSample()).map { difference in
            received.wallClockMilliseconds - (received.instant - instant).milliseconds + difference.milliseconds
        }
    }
}
