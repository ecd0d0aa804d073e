import KMSPlatform

/// How far the service's clock is ahead of this machine's, as precisely as signatures require: they are valid for five
/// minutes.
package struct ClockSkew: Sendable {
    /// A minute less than the service tolerates.
    package static let tolerance = Duration.seconds(4 * 60)
    /// An answer that took longer than this says nothing about the current time.
    package static let maximumRoundTrip = Duration.seconds(15 * 60)
    /// If the clocks differ by more than this, one of them was never set, and it may be the service's.
    package static let maximumSkew = Duration.seconds(24 * 60 * 60)

    /// What an answer says about the clock.
    package struct Sample: Sendable {
        /// The answer's `Date`, in milliseconds since 1970-01-01T00:00:00Z; nil if it has none that can be parsed.
        package var serverDate: Int64?
        /// Whether the answer has an `Age`: then a cache sent it, and its date is in the past.
        package var hasAge: Bool
        /// When the answer arrived, by this machine's wall clock, uncorrected.
        package var receivedMilliseconds: Int64
        package var roundTrip: Duration
        /// The offset that this request was signed with.
        package var signedWith: Duration
        /// Whether it is a 401 that the clock may have caused (`Repetition.afterReauthentication`).
        package var isRefusal: Bool

        package init(
            serverDate: Int64?, hasAge: Bool, receivedMilliseconds: Int64, roundTrip: Duration, signedWith: Duration,
            isRefusal: Bool
        ) {
            self.serverDate = serverDate
            self.hasAge = hasAge
            self.receivedMilliseconds = receivedMilliseconds
            self.roundTrip = roundTrip
            self.signedWith = signedWith
            self.isRefusal = isRefusal
        }
    }

    package enum Outcome: Equatable, Sendable {
        case unchanged
        /// Sign again with `offset`, which is zero if the clock is correct again, and repeat the request.
        ///
        /// - Parameter isNews: whether this answer changed the offset, so that it is logged once.
        case corrected(isNews: Bool)
        /// The clock is correct again.
        case cleared
    }

    private let isEnabled: Bool

    /// Added to the wall clock before signing; zero until a skew is found.
    package private(set) var offset = Duration.zero

    /// - Parameter isEnabled: whether a skew is corrected; otherwise `offset` stays zero.
    package init(isEnabled: Bool = true) {
        self.isEnabled = isEnabled
    }

    /// Evaluates what an answer says about the clock, whatever its status.
    package mutating func observe(_ sample: Sample) -> Outcome {
        guard isEnabled, let candidate = Self.candidate(sample) else { return .unchanged }
        if sample.isRefusal, (candidate - sample.signedWith).magnitude > Self.tolerance {
            // Another call may have found the same skew after this request was signed.
            guard (candidate - offset).magnitude > Self.tolerance else { return .corrected(isNews: false) }
            offset = candidate.magnitude < Self.tolerance ? .zero : candidate
            return .corrected(isNews: true)
        }
        if offset != .zero, candidate.magnitude < Self.tolerance {
            offset = .zero
            return .cleared
        }
        return .unchanged
    }

    /// The time to sign with, in milliseconds since 1970-01-01T00:00:00Z.
    package func corrected(_ wallClockMilliseconds: Int64) -> Int64 {
        wallClockMilliseconds + offset.milliseconds
    }

    /// How far the service's clock is ahead of this machine's: its date compared with the middle of the round trip. Nil
    /// if the answer does not show it.
    package static func difference(_ sample: Sample) -> Duration? {
        guard let date = sample.serverDate, !sample.hasAge,
            (Duration.zero...maximumRoundTrip).contains(sample.roundTrip)
        else { return nil }
        let middle = sample.receivedMilliseconds - sample.roundTrip.milliseconds / 2
        return Duration.milliseconds(date - middle)
    }

    private static func candidate(_ sample: Sample) -> Duration? {
        difference(sample).flatMap { $0.magnitude > maximumSkew ? nil : $0 }
    }
}
