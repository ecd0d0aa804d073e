import KMSPlatform

#if Tracing
import Tracing
#endif

/// What a client reports besides its log: metrics and spans, each only with its package trait. Without the traits there is
/// nothing to store, and the methods are empty, so that they vanish from the code that calls them.
struct Instruments {
    #if Metrics || Tracing
    /// An attempt under way.
    private struct Attempt {
        #if Metrics
        var start = Instant(nanoseconds: 0)
        #endif
        #if Tracing
        var span: (any Span)?
        #endif
    }

    /// By the index of the fetch.
    private var attempts: [Attempt?] = []
    #endif
    #if Metrics
    private var metrics = ClientMetrics()
    #endif
    #if Tracing
    private let spans: AttemptSpans
    #endif

    init(to endpoint: Endpoint) {
        #if Tracing
        spans = AttemptSpans(to: endpoint)
        #endif
    }

    // MARK: Calls

    /// A call was answered from the cache.
    func cacheAnswered() {
        #if Metrics
        metrics.cacheAnswered()
        #endif
    }

    /// A call has to wait for a fetch, which may have an attempt under way.
    func waits(_ call: CallID, in machine: borrowing FetchMachine) {
        #if Metrics
        metrics.cacheMissed()
        #endif
        #if Tracing
        if let call = machine.calls[call], let trace = call.query.trace, let fetch = call.fetch,
            let span = attempts.indices.contains(fetch.index) ? attempts[fetch.index]?.span : nil
        {
            spans.link(span, to: trace)
        }
        #endif
    }

    /// A call got an expired key instead of an error.
    func answeredStale() {
        #if Metrics
        metrics.answeredStale()
        #endif
    }

    mutating func callFailed(_ error: KMSError) {
        #if Metrics
        metrics.callFailed(error.code)
        #endif
    }

    // MARK: Attempts

    mutating func attemptStarted(_ departure: FetchMachine.Departure, in machine: borrowing FetchMachine, now: Instant)
    {
        #if Metrics || Tracing
        var attempt = Attempt()
        #if Metrics
        attempt.start = now
        #endif
        #if Tracing
        if let fetch = machine.fetches[departure.fetch] {
            attempt.span = spans.begin(
                departure.request, number: fetch.progress.attempts,
                for: fetch.waiters.places.compactMap { machine.calls[$0] })
        }
        #endif
        let index = departure.fetch.index
        if index >= attempts.count {
            attempts.append(contentsOf: repeatElement(nil, count: 1 + index - attempts.count))
        }
        attempts[index] = attempt
        #endif
    }

    mutating func attemptEnded(_ fetch: FetchID, _ outcome: AttemptOutcome, now: Instant) {
        #if Metrics || Tracing
        guard let attempt = take(fetch) else { return }
        #if Metrics
        var failure: AttemptFailure?
        if case .failure(let reason) = outcome.result { failure = reason }
        // Without a descriptor, no request was sent.
        if !(failure?.hadNoDescriptor ?? false) {
            metrics.attemptEnded(failure?.error.code, after: now - attempt.start)
        }
        if failure?.repetition == .afterThrottling { metrics.throttled() }
        #endif
        #if Tracing
        if let span = attempt.span { spans.end(span, outcome) }
        #endif
        #endif
    }

    /// No call waits for the attempt any more.
    mutating func attemptCancelled(_ fetch: FetchID, _ clock: any TimeSource) {
        #if Metrics || Tracing
        guard let attempt = take(fetch) else { return }
        #if Metrics
        metrics.attemptEnded(.cancelled, after: clock.now - attempt.start)
        #endif
        #if Tracing
        if let span = attempt.span { spans.cancel(span) }
        #endif
        #endif
    }

    #if Metrics || Tracing
    private mutating func take(_ fetch: FetchID) -> Attempt? {
        guard attempts.indices.contains(fetch.index) else { return nil }
        defer { attempts[fetch.index] = nil }
        return attempts[fetch.index]
    }
    #endif
}
