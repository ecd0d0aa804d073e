/// One way of going wrong, and when it happens. Written as text it is what `--fault` takes (see `init(parsing:)`).
package struct Fault: Sendable, Equatable {
    package var effect: Effect
    package var trigger: Trigger

    package init(_ effect: Effect, when trigger: Trigger = Trigger()) {
        self.effect = effect
        self.trigger = trigger
    }

    package enum Effect: Sendable, Equatable {
        /// Answers, but not with what the request asked for.
        case answer(Answer)
        /// Sends a TCP reset, before the first byte of the answer or in the middle of its body.
        case reset(inBody: Bool)
        /// Closes the connection without an answer.
        case close
        /// Announces the whole body, sends half of it and closes.
        case truncate
        /// Sends the body in chunks of one byte, with a pause before each.
        case trickle(intervalMilliseconds: Int)
        /// Never answers.
        case hang
        /// Answers later, besides the latency of every answer.
        case delay(milliseconds: Int)
        /// Closes a connection after the answer to its n-th request.
        case closeEvery(requests: Int)
        /// Runs the emulator's clock ahead (or behind): for the check of timestamps and for `Date`.
        case skew(milliseconds: Int64)
    }

    /// All conditions must hold.
    package struct Trigger: Sendable, Equatable {
        /// Requests for this key; nil: any.
        package var keyTag: String?
        /// How many of those that match, from the first on; nil: all.
        package var count: Int?
        /// The probability for each that matches, 0–1; nil: 1.
        package var rate: Double?

        package init(keyTag: String? = nil, count: Int? = nil, rate: Double? = nil) {
            self.keyTag = keyTag
            self.count = count
            self.rate = rate
        }
    }
}
