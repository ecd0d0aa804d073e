/// One thing that goes wrong, and when. Written as text, it is what `--fault` takes (see `init(parsing:)`).
package struct Fault: Sendable, Equatable {
    var effect: Effect
    var trigger: Trigger

    init(_ effect: Effect, when trigger: Trigger = Trigger()) {
        self.effect = effect
        self.trigger = trigger
    }

    enum Effect: Sendable, Equatable {
        /// The request does not get its whole answer.
        case ending(Ending)
        /// Answers later, in addition to the latency of every answer.
        case delay(milliseconds: Int)
        /// Closes a connection after the answer to every n-th of its requests.
        case closeEvery(requests: Int)
        /// Moves the emulator's clock forward, or back if negative: for the check of timestamps and for `Date`.
        case skew(milliseconds: Int64)
    }

    /// What a request gets instead of its whole answer.
    enum Ending: Sendable, Equatable {
        /// Another answer.
        case answer(Answer)
        /// A TCP reset before the first byte of the answer.
        case reset
        /// The end of the connection, without an answer.
        case close
        /// Nothing, ever.
        case hang
        /// The head of its answer, and a body that does not arrive as it should.
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

    /// All conditions must hold.
    struct Trigger: Sendable, Equatable {
        /// Requests for this key; nil: any.
        var keyTag: String?
        /// How many of the requests that match, from the first one on; nil: all.
        var count: Int?
        /// The probability for each request that matches, 0–1; nil: 1.
        var rate: Double?

        init(keyTag: String? = nil, count: Int? = nil, rate: Double? = nil) {
            self.keyTag = keyTag
            self.count = count
            self.rate = rate
        }
    }
}

/// The faults in force. Decides which of them happen to each request.
///
/// Skew, delays and `close-every` combine with anything. Of the endings only the first one that is triggered happens;
/// those after it do not use up their counts.
struct FaultPlan: Sendable {
    private var faults: [(fault: Fault, remaining: Int)]

    init(_ faults: [Fault]) {
        self.faults = faults.map { ($0, $0.trigger.count ?? .max) }
    }

    /// What goes wrong with one request.
    struct Outcome: Sendable, Equatable {
        var skewMilliseconds: Int64 = 0
        var delayMilliseconds = 0
        /// The connection ends after the answer.
        var closesConnection = false
        var ending: Fault.Ending?

        /// Whether anything goes wrong at all.
        var isFault: Bool { self != Outcome() }
    }

    /// - Parameters:
    ///   - keyTag: the key in the request's path, if there is one.
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
    /// What went wrong, as `--fault` writes it: `status=503`, `delay=50,truncate`; nil if nothing did.
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
