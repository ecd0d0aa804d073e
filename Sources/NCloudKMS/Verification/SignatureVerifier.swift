import KMSPlatform
import KMSPublicKeys

/// Verifies signatures with a client's keys: fetches the key, verifies concurrently with everything else, and rechecks
/// an invalid signature once if a cached key may be out of date.
///
/// ```
///  verify ─▶ key ─▶ worker ─▶ verdict
///             ▲        └─ wrong, latest version, cached key ─▶ RecheckLimit ─▶ fresh key ─┐
///             └────────────────────────────── once ────────────────────────────────────────┘
/// ```
package actor SignatureVerifier {
    /// Begins to fetch a key for a call with this arrival and label; returns a closure that cancels the fetch, unless
    /// it has ended. Like `KMSClient.begin`, it runs on the loop.
    typealias KeySource =
        @Sendable (PublicKeyQuery, Instant, String?, FetchProgress.Handler?, @escaping PublicKeyCompletion) -> (
            @Sendable () -> Void
        )?

    /// Receives the outcome, once, on the loop.
    package typealias Completion = @Sendable (Result<SignatureVerdict, SignatureFailure>) -> Void

    fileprivate struct Verification {
        let query: SignatureQuery
        let arrival: Instant
        let label: String?
        let progress: FetchProgress.Handler?
        let completion: Completion
        /// Cancels the current fetch.
        var cancelFetch: (@Sendable () -> Void)?
        /// False once nobody needs the verdict any more; the worker checks it.
        let isWanted: Flag
    }

    fileprivate final class Flag: Sendable {
        private let value = Atomic(true)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func clear() { value.store(false, ordering: .relaxed) }
    }

    /// Identifies a verification that was started.
    package struct ID: Sendable {
        fileprivate let slot: SlotMap<Verification>.ID
    }

    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    package nonisolated let clock: any TimeSource
    private let keys: KeySource
    private let worker = SerialWorker(name: "verifier")
    private var verifications = SlotMap<Verification>()
    private var limit = RecheckLimit()

    package init(_ client: KMSClient) {
        self.init(on: client.loop) { query, arrival, label, progress, completion in
            let call = client.begin(
                query, arrival: arrival, label: label, progress: progress, completion: completion)
            guard let call else { return nil }
            return { client.cancel(call) }
        }
    }

    init(on loop: EventLoop, clock: any TimeSource = SystemClock(), keys: @escaping KeySource) {
        self.loop = loop
        self.clock = clock
        self.keys = keys
    }

    /// Begins to verify.
    ///
    /// - Parameters:
    ///   - arrival: when the caller made the call; the query's time counts from here.
    ///   - label: the caller's label, for the log.
    ///   - progress: as for `KMSClient.begin`.
    /// - Returns: the id for cancelling it; nil if there is a verdict already.
    @discardableResult
    package func verify(
        _ query: SignatureQuery, arrival: Instant, label: String? = nil, progress: FetchProgress.Handler? = nil,
        completion: @escaping Completion
    ) -> ID? {
        let id = verifications.insert(
            Verification(
                query: query, arrival: arrival, label: label, progress: progress, completion: completion,
                isWanted: Flag()))
        fetch(query.key, arrival: arrival, for: id) { verifier, result in verifier.keyCame(result, id) }
        return verifications[id] == nil ? nil : ID(slot: id)
    }

    /// Ends a verification with `KMSError.cancelled`, unless it has ended. Work that has not started is skipped.
    package func cancel(_ id: ID) { end(id.slot, .failure(.key(.cancelled))) }

    private func end(_ id: SlotMap<Verification>.ID, _ outcome: Result<SignatureVerdict, SignatureFailure>) {
        guard let verification = verifications.remove(id) else { return }
        verification.isWanted.clear()
        // Does nothing if the fetch has ended.
        verification.cancelFetch?()
        verification.completion(outcome)
    }

    private func fetch(
        _ key: PublicKeyQuery, arrival: Instant, for id: SlotMap<Verification>.ID,
        then next: @escaping @Sendable (isolated SignatureVerifier, Result<PublicKeyAnswer, KMSError>) -> Void
    ) {
        let verification = verifications[id]
        let cancelFetch = keys(key, arrival, verification?.label, verification?.progress) { [weak self] result in
            self?.assumeIsolated { next($0, result) }
        }
        verifications[id]?.cancelFetch = cancelFetch
    }

    private func keyCame(_ result: Result<PublicKeyAnswer, KMSError>, _ id: SlotMap<Verification>.ID) {
        switch result {
        case .failure(let error): end(id, .failure(.key(error)))
        case .success(let answer):
            check(answer, for: id) { verifier, isValid in
                let verdict = SignatureVerdict(isValid: isValid, key: answer)
                guard !isValid, let maxAge = verifier.recheckAge(answer, id) else {
                    return verifier.end(id, .success(verdict))
                }
                verifier.recheck(id, instead: verdict, maxAge: maxAge)
            }
        }
    }

    // MARK: Recheck

    private func recheckAge(_ answer: PublicKeyAnswer, _ id: SlotMap<Verification>.ID) -> Duration? {
        // If a key is stale, the service was just asked for it without success.
        guard let verification = verifications[id], verification.query.key.version == nil, answer.source == .cache
        else { return nil }
        return limit.maxAge(
            for: answer.keyTag, used: verification.arrival + (.zero - answer.age), now: clock.now)
    }

    private func recheck(_ id: SlotMap<Verification>.ID, instead verdict: SignatureVerdict, maxAge: Duration) {
        guard let verification = verifications[id] else { return }
        let now = clock.now
        var fresh = verification.query.key
        fresh.maxAge = maxAge
        fresh.timeout = max(verification.arrival + fresh.timeout - now, .zero)
        let keyTag = fresh.keyTag
        fetch(fresh, arrival: now, for: id) { verifier, result in
            verifier.limit.recheckEnded(keyTag, broughtKey: (try? result.get()) != nil)
            switch result {
            case .success(let answer) where answer.key.spkiSHA256 == verdict.key.key.spkiSHA256:
                verifier.end(id, .success(SignatureVerdict(isValid: false, key: answer)))
            case .success(let answer):
                verifier.check(answer, for: id) { verifier, isValid in
                    verifier.end(id, .success(SignatureVerdict(isValid: isValid, key: answer)))
                }
            case .failure(let error):
                // The cached key is as good as before; but if the service refuses the key, the key is no longer valid.
                let stands = error.code.isUnavailability
                verifier.end(id, stands ? .success(verdict) : .failure(.key(error)))
            }
        }
    }

    // MARK: The worker

    private func check(
        _ answer: PublicKeyAnswer, for id: SlotMap<Verification>.ID,
        then next: @escaping @Sendable (isolated SignatureVerifier, Bool) -> Void
    ) {
        guard let verification = verifications[id] else { return }
        let query = verification.query
        let isWanted = verification.isWanted
        do {
            try worker.run { [loop] in
                guard isWanted.isSet else { return }
                let outcome = Result { () throws(VerificationError) in
                    try query.rule.accepts(query.signature, by: answer.key)
                }
                loop.submit { [weak self] in
                    self?.assumeIsolated { verifier in
                        switch outcome {
                        case .success(let isValid): next(verifier, isValid)
                        case .failure(let error): verifier.end(id, .failure(SignatureFailure(error)))
                        }
                    }
                }
            }
        } catch {
            end(id, .failure(.internalFault("\(error)")))
        }
    }
}

/// Decides whether a signature that a cached key finds invalid is rechecked with a fresh key, because the key may have
/// been rotated (protocol/README.md, `verifySignature`). A client that sends invalid signatures must not be able to
/// turn each of them into a request: a key is fetched for this at most once in 30 s.
struct RecheckLimit: Sendable {
    static let interval = Duration.seconds(30)
    /// The capacity of the client's cache. Once this many keys have been fetched within the interval, no others are
    /// fetched, so that none is fetched too often.
    static let maximumKeys = ExpiringCache<FetchedKey>.capacity

    private struct Recheck {
        let start: Instant
        var hasFailed = false
    }

    private let capacity: Int
    private var rechecks: [KeyTag: Recheck] = [:]

    init(capacity: Int = RecheckLimit.maximumKeys) {
        self.capacity = capacity
    }

    /// The number of remembered keys.
    var count: Int { rechecks.count }

    /// The maximum age of the key for a recheck; nil: the first verdict stands.
    ///
    /// Zero begins a recheck. Any other age asks for the key of the last recheck, or of one under way: it is fresher
    /// than the key that was used, and needs no further request. In both cases `recheckEnded` must be called at the
    /// end.
    ///
    /// - Parameter used: when the fetch of the key that found the signature invalid began.
    mutating func maxAge(for key: KeyTag, used: Instant, now: Instant) -> Duration? {
        if let last = rechecks[key], now - last.start < Self.interval {
            return used < last.start && !last.hasFailed ? now - last.start : nil
        }
        if rechecks.count >= capacity, rechecks[key] == nil {
            rechecks = rechecks.filter { now - $0.value.start < Self.interval }
            guard rechecks.count < capacity else { return nil }
        }
        rechecks[key] = Recheck(start: now)
        return .zero
    }

    /// A recheck of either kind has ended. If the last one got no key, there is nothing that others could ask for.
    mutating func recheckEnded(_ key: KeyTag, broughtKey: Bool) {
        rechecks[key]?.hasFailed = !broughtKey
    }
}
