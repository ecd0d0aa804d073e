import Logging
import KMSPlatform
import KMSPublicKeys

/// A client of the Key Management Service of NAVER Cloud, for its public keys.
///
/// ```swift
/// let client = try KMSClient(KMSClientConfiguration(environment: .process))
/// let answer = try await client.publicKey(for: KeyTag("…"))
/// print(answer.key.spkiPEM)
/// ```
///
/// Create one client per process and use it from any number of tasks. They share its cache, its connections and its rate
/// limits, and calls for the same key share one request.
///
/// A call passes through these layers, outermost first: cache, coalescing, rate limiter, retry, signature, transport. They
/// all run on one event loop, on a thread of the client's own, with at most `maximumConnections` connections.
///
/// When you release a client, it closes its connections and ends its thread. A waiting call keeps its client alive;
/// `shutdown` ends all calls.
///
/// The next call that needs the service notices a changed token file.
public actor KMSClient: PublicKeyProvider {
    /// Why a client can't be created: libcurl is unusable, or the system is out of resources.
    public struct SetupError: Error, Hashable, CustomStringConvertible {
        /// A sentence that says what to do.
        public let description: String

        /// The same text as `description`, where the static type is `SetupError`; see `KMSError`.
        public var localizedDescription: String { description }
    }

    /// Where the service listens.
    public nonisolated let endpoint: Endpoint
    /// The loop that everything runs on.
    package nonisolated let loop: EventLoop
    /// The event loop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    // Unsafe: it is reached in isolation, and by `engineOnLoop`, which checks for the same.
    private nonisolated(unsafe) let engine: KMSEngine
    private let ownsLoop: Bool
    // Unowned: only methods of this client use it, and a call that waits keeps the client.
    private lazy var verifier = SignatureVerifier(on: loop, clock: engine.clock) { [unowned self] in
        cancellableCall($0, arrival: $1, label: $2, progress: $3, $4)
    }

    /// Creates a client with an event loop and a thread of its own.
    ///
    /// - Parameters:
    ///   - configuration: the settings.
    ///   - logger: a `Logger` of swift-log, the only type of another package in this library's interface.
    /// - Throws: `SetupError` if libcurl is unusable, or the system has no thread or descriptor left. Missing credentials
    ///   and an unreachable service are errors of calls instead.
    public init(
        _ configuration: KMSClientConfiguration, logger: Logger = Logger(label: "ncloud-kms")
    ) throws(SetupError) {
        try self.init(configuration, on: nil, logger: logger)
    }

    /// - Parameters:
    ///   - loop: the loop of the calling thread, which the caller must run; nil creates a loop with its own thread.
    ///   - random: a number in 0..<1, for the jitter of retries.
    package init(
        _ configuration: KMSClientConfiguration, on loop: EventLoop?, clock: any TimeSource = SystemClock(),
        logger: Logger, random: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) throws(SetupError) {
        endpoint = configuration.endpoint
        ownsLoop = loop == nil
        do {
            self.loop = try loop ?? EventLoop()
            engine = try KMSEngine(configuration, on: self.loop, clock: clock, logger: logger, random: random)
            if ownsLoop { try self.loop.start(name: "kms-client") }
        } catch let error as TransportFailure {
            throw SetupError(description: error.message)
        } catch {
            throw SetupError(description: "\(error)")
        }
    }

    // Not an isolated one, which Swift 6.3 can't compile into optimised modules that import this one.
    deinit {
        // Unsafe: from here on only the loop has it.
        nonisolated(unsafe) let engine = engine
        let end = { @Sendable [loop, ownsLoop] in
            engine.shutDown()
            if ownsLoop { loop.stop() }
        }
        if loop.isCurrent { end() } else { loop.submit(end) }
    }

    /// Returns a key from the cache or the service.
    ///
    /// If you cancel the task, the call fails with `KMSError.Code.cancelled`. The request continues if other calls wait for
    /// it.
    public func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer {
        let span = CallSpan(.publicKey, query)
        let query = span.traced(query)
        let outcome = await outcome { client, completion in client.cancellableCall(query, completion) }
        span.end(outcome)
        return try outcome.get()
    }

    /// Verifies a signature in this process with the public key, on a separate thread.
    ///
    /// If the cached latest key does not verify the signature, the client tries again with a fresh key, because the key may
    /// have been rotated; at most once in 30 s for each key. If you cancel the task, the call fails with
    /// `KMSError.Code.cancelled`.
    public func verify(_ query: SignatureQuery) async throws(KMSError) -> SignatureVerdict {
        let arrival = engine.clock.now
        let span = CallSpan(.verify, query.key)
        var query = query
        query.key = span.traced(query.key)
        let outcome = await outcome { [query] client, completion in
            client.verifier.assumeIsolated { verifier -> (@Sendable () -> Void)? in
                guard let id = verifier.verify(query, arrival: arrival, completion: completion) else { return nil }
                return { verifier.assumeIsolated { $0.cancel(id) } }
            }
        }
        let result = outcome.mapError { KMSError($0, keyTag: query.key.keyTag) }
        span.end(result.map(\.key), isValid: try? result.get().isValid)
        return try result.get()
    }

    /// Waits for the outcome of a call, and cancels the call if the task is cancelled.
    ///
    /// - Parameter begin: begins the call, and returns a closure that cancels it on the loop.
    private func outcome<Outcome: Sendable>(
        _ begin: (isolated KMSClient, @escaping @Sendable (Outcome) -> Void) -> (@Sendable () -> Void)?
    ) async -> Outcome {
        let cancellation = Lock<(@Sendable () -> Void)?>(nil)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let cancel = begin(self) { continuation.resume(returning: $0) }
                cancellation.withLock { $0 = cancel }
            }
        } onCancel: {
            // After the call has begun, which happens without a pause on the loop.
            loop.submit { cancellation.withLock { $0 }?() }
        }
    }

    /// Begins a call.
    ///
    /// - Returns: a closure that cancels it; nil if it has ended.
    private nonisolated func cancellableCall(
        _ query: PublicKeyQuery, arrival: Instant? = nil, label: String? = nil,
        progress: FetchProgress.Handler? = nil, _ completion: @escaping PublicKeyCompletion
    ) -> (@Sendable () -> Void)? {
        let call = begin(query, arrival: arrival, label: label, progress: progress, completion: completion)
        guard let call else { return nil }
        return { self.cancel(call) }
    }

    /// The client's counters, and the credentials in use.
    public func status() -> ClientStatus { engine.status() }

    /// Closes all connections. Waiting calls and later calls fail with `KMSError.Code.shuttingDown`.
    public func shutdown() { engine.shutDown() }

    // MARK: For those on the same loop, which is checked

    private nonisolated var engineOnLoop: KMSEngine {
        loop.checkIsolated()
        return engine
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - arrival: when the caller made the call, if that was earlier than now.
    ///   - label: the caller's label for the call, for the log.
    ///   - progress: receives what the call is waiting for, on the loop, if that is not just the answer to its first
    ///     attempt.
    ///   - completion: receives the outcome, once, on the loop: immediately, or later.
    /// - Returns: the call, to cancel it; nil if it has ended.
    @discardableResult
    package nonisolated func begin(
        _ query: PublicKeyQuery, arrival: Instant? = nil, label: String? = nil,
        progress: FetchProgress.Handler? = nil, completion: @escaping PublicKeyCompletion
    ) -> PublicKeyCall? {
        engineOnLoop.begin(query, arrival: arrival, label: label, progress: progress, completion)
            .map(PublicKeyCall.init)
    }

    /// Ends a call with `KMSError.cancelled`, unless it has ended. The request to the service continues if other calls
    /// wait for it; otherwise it is aborted.
    package nonisolated func cancel(_ call: PublicKeyCall) { engineOnLoop.cancel(call.id) }

    /// The age of a fetched key, if the cache can answer a call that arrived at this time with this key. The cache then
    /// counts the call as answered, notes the use of the key, and refreshes it if it expires soon. Nil if the cache
    /// would give another answer, or none.
    package nonisolated func ageInCache(
        of fetched: FetchedKey, for query: PublicKeyQuery, arrival: Instant
    ) -> Duration? {
        engineOnLoop.ageInCache(of: fetched, for: query, arrival: arrival)
    }
}

/// A call that was begun and has not ended.
package struct PublicKeyCall: Sendable {
    fileprivate let id: CallID
}
