/// Something that goes wrong, and when. Its text form is the argument of `--fault` (see `init(parsing:)`).
package struct Fault: Sendable, Equatable {
    var effect: Effect
    var trigger: Trigger

    init(_ effect: Effect, when trigger: Trigger = Trigger()) {
        self.effect = effect
        self.trigger = trigger
    }

    enum Effect: Sendable, Equatable {
        /// The request does not get its complete answer.
        case ending(Ending)
        /// Delays the answer, in addition to the latency.
        case delay(milliseconds: Int)
        /// Closes a connection after the answer to every n-th of its requests.
        case closeEvery(requests: Int)
        /// Moves the emulator's clock forward, or back if negative. Affects timestamp checks and `Date`.
        case skew(milliseconds: Int64)
    }

    /// What a request gets instead of its complete answer.
    enum Ending: Sendable, Equatable {
        /// Another answer.
        case answer(Answer)
        /// A TCP reset before the first byte of the answer.
        case reset
        /// The connection is closed without an answer.
        case close
        /// No answer, ever.
        case hang
        /// The head of the answer, and a body that does not arrive properly.
        case body(BodyEnding)
    }

    /// How the body of an answer arrives.
    enum BodyEnding: Sendable, Equatable {
        /// Half of it, then a TCP reset.
        case reset
        /// Half of it, then the connection is closed.
        case truncate
        /// All of it, in chunks of one byte with a pause before each.
        case trickle(intervalMilliseconds: Int)
    }

    /// When a fault takes effect. All conditions must hold.
    struct Trigger: Sendable, Equatable {
        /// Requests for this key; nil: any.
        var keyTag: String?
        /// How many of the matching requests, starting with the first; nil: all.
        var count: Int?
        /// The probability for each matching request, 0–1; nil: 1.
        var rate: Double?

        init(keyTag: String? = nil, count: Int? = nil, rate: Double? = nil) {
            self.keyTag = keyTag
            self.count = count
            self.rate = rate
        }
    }
}

/// The current faults; decides which of them each request triggers.
///
/// Skew, delays and `close-every` combine with everything. Of the endings only the first that is triggered takes
/// effect; later ones do not use up their counts.
struct FaultPlan: Sendable {
    private var faults: [(fault: Fault, remaining: Int)]

    init(_ faults: [Fault]) {
        self.faults = faults.map { ($0, $0.trigger.count ?? .max) }
    }

    /// The faults of one request.
    struct Outcome: Sendable, Equatable {
        var skewMilliseconds: Int64 = 0
        var delayMilliseconds = 0
        /// Whether the connection is closed after the answer.
        var closesConnection = false
        var ending: Fault.Ending?

        /// Whether there is any fault at all.
        var isFault: Bool { self != Outcome() }
    }

    /// - Parameters:
    ///   - keyTag: the key tag in the request's path, if any.
    ///   - requestOfConnection: 1 for the connection's first request.
    ///   - random: returns a number in [0, 1); called once for each fault with a rate.
    mutating func outcome(keyTag: String?, requestOfConnection: Int, random: () -> Double) -> Outcome {
        var outcome = Outcome()
        for index in faults.indices {
            let (fault, remaining) = faults[index]
            if let wanted = fault.trigger.keyTag, wanted != keyTag { continue }
            switch fault.effect {
            case .closeEvery(let requests) where requestOfConnection % requests != 0: continue
            case .ending where outcome.ending != nil: continue
            default: break
            }
            guard remaining > 0 else { continue }
            if let rate = fault.trigger.rate, random() >= rate { continue }
            if remaining != .max { faults[index].remaining -= 1 }

            switch fault.effect {
            case .ending(let ending): outcome.ending = ending
            case .delay(let milliseconds): outcome.delayMilliseconds += milliseconds
            case .closeEvery: outcome.closesConnection = true
            case .skew(let milliseconds): outcome.skewMilliseconds += milliseconds
            }
        }
        return outcome
    }
}

extension FaultPlan.Outcome {
    /// The faults in the syntax of `--fault`: `status=503`, `delay=50,truncate`; nil if there are none.
    var summary: String? {
        var words: [String] = []
        if skewMilliseconds != 0 { words.append("skew=\(skewMilliseconds)ms") }
        if delayMilliseconds != 0 { words.append("delay=\(delayMilliseconds)") }
        if closesConnection { words.append("close-every") }
        switch ending {
        case .answer(let answer): words.append("status=\(answer.status)")
        case .reset: words.append("reset")
        case .close: words.append("close")
        case .hang: words.append("hang")
        case .body(.reset): words.append("reset=body")
        case .body(.truncate): words.append("truncate")
        case .body(.trickle): words.append("trickle")
        case nil: break
        }
        return words.isEmpty ? nil : words.joined(separator: ",")
    }
}
