import NCloudKMS
import Platform
import PublicKeys

/// Verifies signatures with the keys of a client: fetches the key, verifies beside everything else, and tries a wrong
/// signature once more when a cached key may be out of date.
///
/// ```
///  start ─▶ key ─▶ worker: verify ─▶ verdict
///            ▲                └─ wrong, latest version, cached key ─▶ RecheckLimit ─▶ fresh key ─┐
///            └───────────────────────────── once ────────────────────────────────────────────────┘
/// ```
package final class SignatureVerifier: Sendable {
    /// Begins to fetch a key for a call of that arrival and label, and gives what cancels it: `KMSClient.publicKey`.
    typealias KeySource =
        @Sendable (PublicKeyQuery, Instant, String?, @escaping PublicKeyCompletion) -> @Sendable () -> Void

    /// Told the outcome, once, on the verifier's thread or the client's.
    package typealias Completion = @Sendable (Result<SignatureVerdict, SignatureFailure>) -> Void

    let clock: any TimeSource
    private let keys: KeySource
    private let worker = SerialWorker(name: "verifier")
    private let limit = Lock(RecheckLimit())

    package convenience init(_ client: KMSClient) {
        self.init { query, arrival, label, completion in
            let call = client.publicKey(query, arrival: arrival, label: label, completion: completion)
            return { call.cancel() }
        }
    }

    init(clock: any TimeSource = SystemClock(), keys: @escaping KeySource) {
        self.clock = clock
        self.keys = keys
    }

    /// Begins to verify.
    ///
    /// - Parameters:
    ///   - arrival: when the caller asked; the time of the query counts from here.
    ///   - label: what the caller calls it, for the log.
    /// - Returns: what is to be cancelled when nobody wants the verdict any more.
    @discardableResult
    package func verify(
        _ query: SignatureQuery, arrival: Instant, label: String? = nil, completion: @escaping Completion
    ) -> SignatureVerification {
        let verification = SignatureVerification(arrival, label, completion)
        verification.fetch { keys(query.key, arrival, label) { self.keyCame($0, query, verification) } }
        return verification
    }

    private func keyCame(
        _ result: Result<PublicKeyAnswer, KMSError>, _ query: SignatureQuery, _ verification: SignatureVerification
    ) {
        switch result {
        case .failure(let error): verification.end(.failure(.key(error)))
        case .success(let answer):
            check(query, answer, verification) { isValid in
                let verdict = SignatureVerdict(isValid: isValid, key: answer)
                let used = verification.arrival + (.zero - answer.age)
                guard !isValid, let maxAge = self.recheckAge(query, answer, used: used) else {
                    return verification.end(.success(verdict))
                }
                self.recheck(query, instead: verdict, maxAge: maxAge, verification)
            }
        }
    }

    // MARK: The second try

    private func recheckAge(_ query: SignatureQuery, _ answer: PublicKeyAnswer, used: Instant) -> Duration? {
        // A stale key is one where the service was asked just now, in vain.
        guard query.key.version == nil, answer.source == .cache else { return nil }
        let now = clock.now
        return limit.withLock { $0.maxAge(for: query.key.keyTag, used: used, now: now) }
    }

    private func recheck(
        _ query: SignatureQuery, instead verdict: SignatureVerdict, maxAge: Duration,
        _ verification: SignatureVerification
    ) {
        let now = clock.now
        var fresh = query.key
        fresh.maxAge = maxAge
        fresh.timeout = max(verification.arrival + query.key.timeout - now, .zero)
        verification.fetch {
            keys(fresh, now, verification.label) { result in
                self.limit.withLock { $0.recheckEnded(query.key.keyTag, broughtKey: (try? result.get()) != nil) }
                switch result {
                case .success(let answer) where answer.key.spkiSHA256 == verdict.key.key.spkiSHA256:
                    verification.end(.success(SignatureVerdict(isValid: false, key: answer)))
                case .success(let answer):
                    self.check(query, answer, verification) { isValid in
                        verification.end(.success(SignatureVerdict(isValid: isValid, key: answer)))
                    }
                case .failure(let error):
                    // The cached key is as good as it was before; but a service that refuses the key takes it back.
                    let stands = error.code.isUnavailability
                    verification.end(stands ? .success(verdict) : .failure(.key(error)))
                }
            }
        }
    }

    // MARK: The worker

    private func check(
        _ query: SignatureQuery, _ answer: PublicKeyAnswer, _ verification: SignatureVerification,
        then next: @escaping @Sendable (Bool) -> Void
    ) {
        do {
            try worker.run {
                guard !verification.hasEnded else { return }
                do throws(VerificationError) {
                    next(
                        try answer.key.verify(
                            signature: query.signature, algorithm: query.algorithm, encoding: query.encoding,
                            message: query.message))
                } catch {
                    verification.end(.failure(.verification(error)))
                }
            }
        } catch {
            verification.end(.failure(.platform(error)))
        }
    }
}

/// A verification that was begun.
package final class SignatureVerification: Sendable {
    private struct State: Sendable {
        var completion: SignatureVerifier.Completion?
        var fetchCount = 0
        /// Cancels the fetch that is under way.
        var cancelFetch: (@Sendable () -> Void)?
    }

    fileprivate let arrival: Instant
    fileprivate let label: String?
    private let state: Lock<State>

    init(_ arrival: Instant, _ label: String?, _ completion: @escaping SignatureVerifier.Completion) {
        self.arrival = arrival
        self.label = label
        state = Lock(State(completion: completion))
    }

    /// Ends it: what has not begun is left out, and the completion is told `KMSError.cancelled`, unless it was told
    /// something before.
    package func cancel() {
        end(.failure(.key(.cancelled)))
    }

    fileprivate var hasEnded: Bool { state.withLock { $0.completion == nil } }

    /// Begins a fetch with what gives its cancellation.
    func fetch(_ begin: () -> @Sendable () -> Void) {
        let number = state.withLock { state in
            state.fetchCount += 1
            return state.fetchCount
        }
        let cancelFetch = begin()
        let hasEnded = state.withLock { state in
            // A key that was there at once may have led to the next fetch, which is the one to cancel then.
            if number == state.fetchCount { state.cancelFetch = cancelFetch }
            return state.completion == nil
        }
        // Cancelled, or answered, before its fetch could be named here.
        if hasEnded { cancelFetch() }
    }

    fileprivate func end(_ outcome: Result<SignatureVerdict, SignatureFailure>) {
        let (completion, cancelFetch) = state.withLock { state in
            defer { state = State() }
            return (state.completion, state.cancelFetch)
        }
        // To cancel what has ended does nothing.
        cancelFetch?()
        completion?(outcome)
    }
}
