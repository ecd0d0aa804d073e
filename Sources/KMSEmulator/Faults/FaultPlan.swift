/// The faults in force. Decides for each request which of them happen.
///
/// Skew, delays and `close-every` go together with anything. Of the other faults, which end the request each in its own
/// way, the first one that is triggered happens; those after it don't use up their counts.
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
        var ending: Ending?

        /// Whether anything goes wrong at all.
        var isFault: Bool { self != Outcome() }
    }

    /// How the request ends instead of with the whole answer.
    enum Ending: Sendable, Equatable {
        case answer(Answer)
        case reset(inBody: Bool)
        case close
        case truncate
        case trickle(intervalMilliseconds: Int)
        case hang
    }

    /// - Parameters:
    ///   - keyTag: the key that the request names; nil if its path names none.
    ///   - requestOfConnection: 1 for the connection's first request.
    ///   - random: a number in [0, 1), asked for each fault with a rate.
    mutating func outcome(keyTag: String?, requestOfConnection: Int, random: () -> Double) -> Outcome {
        var outcome = Outcome()
        for index in faults.indices {
            let (fault, remaining) = faults[index]
            if let wanted = fault.trigger.keyTag, wanted != keyTag { continue }
            if case .closeEvery(let requests) = fault.effect, requestOfConnection % requests != 0 { continue }
            let ending = Ending(fault.effect)
            if ending != nil, outcome.ending != nil { continue }
            guard remaining > 0 else { continue }
            if let rate = fault.trigger.rate, random() >= rate { continue }
            if remaining != .max { faults[index].remaining -= 1 }

            switch fault.effect {
            case .skew(let milliseconds): outcome.skewMilliseconds += milliseconds
            case .delay(let milliseconds): outcome.delayMilliseconds += milliseconds
            case .closeEvery: outcome.closesConnection = true
            default: outcome.ending = ending
            }
        }
        return outcome
    }
}

extension FaultPlan.Ending {
    fileprivate init?(_ effect: Fault.Effect) {
        switch effect {
        case .answer(let answer): self = .answer(answer)
        case .reset(let inBody): self = .reset(inBody: inBody)
        case .close: self = .close
        case .truncate: self = .truncate
        case .trickle(let interval): self = .trickle(intervalMilliseconds: interval)
        case .hang: self = .hang
        case .skew, .delay, .closeEvery: return nil
        }
    }
}
