import Logging
import Platform
import PublicKeys

/// A client of the Key Management Service of NAVER Cloud, for its public keys.
///
/// ```swift
/// let client = try KMSClient(KMSClientConfiguration(), logger: Logger(label: "kms"))
/// let answer = try await client.publicKey(PublicKeyQuery(keyTag: KeyTag("…")))
/// ```
///
/// The layers of a call, outermost first, are cache, coalescing, rate limiter, retry, signature, transport. All of its
/// requests go through one thread and at most `maximumConnections` connections; every method may be called from any
/// thread, and none waits. Calls that are under way when the client is freed end with `KMSError.Code.shuttingDown`.
///
/// A token file that changed is noticed by the next call that no cached key answers.
public final class KMSClient: Sendable {
    /// Why a client can't be made.
    public struct SetupError: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    public var endpoint: Endpoint { engine.configuration.endpoint }

    private let engine: KMSEngine
    private let cache: KeyCache
    private let clock: any TimeSource
    private let lastCall = Atomic<Int>(0)

    /// - Throws: `SetupError` when libcurl can't be used, or the system has no thread or descriptor left. Missing
    ///   credentials or an unreachable service are errors of calls.
    public convenience init(
        _ configuration: KMSClientConfiguration, clock: any TimeSource = SystemClock(), logger: Logger
    ) throws(SetupError) {
        try self.init(configuration, clock: clock, logger: logger) { .random(in: 0..<1) }
    }

    /// - Parameter random: a number in 0..<1, for the jitter of retries.
    init(
        _ configuration: KMSClientConfiguration, clock: any TimeSource, logger: Logger,
        random: @escaping @Sendable () -> Double
    ) throws(SetupError) {
        self.clock = clock
        do {
            let multi = try CurlMulti(configuration.transport, environment: try CurlEnvironment.ready(), clock: clock)
            cache = KeyCache(configuration)
            engine = KMSEngine(configuration, multi: multi, cache: cache, clock: clock, logger: logger, random: random)
            try engine.start()
        } catch let error as TransportFailure {
            throw SetupError(description: error.message)
        } catch {
            throw SetupError(description: "\(error)")
        }
    }

    deinit {
        engine.thread.submit { [engine] in engine.assumeIsolated { $0.shutDown() } }
        engine.thread.stop()
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - arrival: when the caller asked, if that was before now.
    ///   - label: what the caller calls the call, for the log.
    ///   - completion: told the outcome, once: at once on the calling thread, or later on the client's own, which it
    ///     must not keep waiting.
    @discardableResult
    public func publicKey(
        _ query: PublicKeyQuery, arrival: Instant? = nil, label: String? = nil,
        completion: @escaping PublicKeyCompletion
    ) -> PublicKeyCall {
        let arrival = arrival ?? clock.now
        // What may answer a call that wants the service asked was fetched since it came, so hardly ever is there yet; the
        // engine looks again.
        if query.maxAge != .zero,
            let (answer, isRefreshDue) = cache.answer(to: query, arrival: arrival, isFirstLook: true)
        {
            if isRefreshDue { refresh(query) }
            completion(.success(answer))
            return PublicKeyCall(number: 0, engine: nil)
        }
        let number = lastCall.wrappingAdd(1, ordering: .relaxed).newValue
        engine.thread.submit { [engine] in
            engine.assumeIsolated { $0.begin(number, query, arrival: arrival, label: label, completion) }
        }
        return PublicKeyCall(number: number, engine: engine)
    }

    /// The age of a fetched key, if a call of that arrival may have that key from the cache at once; then the call has
    /// been answered, as far as counters, order of use and refreshing ahead are concerned. Nil if the cache would give
    /// another answer, or none.
    package func ageInCache(of fetched: FetchedKey, for query: PublicKeyQuery, arrival: Instant) -> Duration? {
        guard let (age, isRefreshDue) = cache.age(of: fetched, for: query, arrival: arrival) else { return nil }
        if isRefreshDue { refresh(query) }
        return age
    }

    private func refresh(_ query: PublicKeyQuery) {
        engine.thread.submit { [engine] in engine.assumeIsolated { $0.refresh(query) } }
    }

    /// The key, or a `KMSError`. Cancelling the task cancels the call.
    public func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer {
        let call = Lock<PublicKeyCall?>(nil)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let begun = publicKey(query) { continuation.resume(returning: $0) }
                call.withLock { $0 = begun }
                // The handler may have run before there was anything to cancel.
                if Task.isCancelled { begun.cancel() }
            }
        } onCancel: {
            call.withLock { $0 }?.cancel()
        }
        return try outcome.get()
    }

    /// Has `scope` run what tells the outcomes of several calls, so that it can pass them on at one go. It is called on the
    /// client's own thread, and must run the closure that it is given once.
    package func tellTogether(_ scope: @escaping @Sendable (() -> Void) -> Void) {
        engine.thread.submit { [engine] in engine.assumeIsolated { $0.together = scope } }
    }

    /// Gives the client's figures, on its own thread.
    public func status(_ completion: @escaping @Sendable (ClientStatus) -> Void) {
        engine.thread.submit { [engine] in
            completion(engine.assumeIsolated { $0.status() })
        }
    }
}
