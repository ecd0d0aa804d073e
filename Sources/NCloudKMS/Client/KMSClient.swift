import Logging
import KMSPlatform
import KMSPublicKeys

/// A client of the Key Management Service of NAVER Cloud, for its public keys.
///
/// ```swift
/// let client = try KMSClient(KMSClientConfiguration(), logger: Logger(label: "kms"))
/// let answer = try await client.publicKey(PublicKeyQuery(keyTag: KeyTag("…")))
/// ```
///
/// The layers of a call, outermost first, are cache, coalescing, rate limiter, retry, signature, transport. All of it
/// happens on an event loop, with at most `maximumConnections` connections; no method waits for anything but the service.
/// A client that is freed closes its connections, and ends its thread. A call that waits keeps it; `shutdown` ends the
/// calls.
///
/// A token file that changed is noticed by the next call that no cached key answers.
public actor KMSClient {
    /// Why a client can't be made.
    public struct SetupError: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    public nonisolated let endpoint: Endpoint
    /// The loop that all of it happens on.
    package nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    // Unsafe: it is reached in isolation, and by `engineOnLoop`, which checks for the same.
    private nonisolated(unsafe) let engine: KMSEngine
    private let ownsLoop: Bool

    /// A client on a loop of its own, on a thread of its own.
    ///
    /// - Throws: `SetupError` when libcurl can't be used, or the system has no thread or descriptor left. Missing
    ///   credentials or an unreachable service are errors of calls.
    public init(
        _ configuration: KMSClientConfiguration, clock: any TimeSource = SystemClock(), logger: Logger
    ) throws(SetupError) {
        try self.init(configuration, on: nil, clock: clock, logger: logger)
    }

    /// - Parameters:
    ///   - loop: the loop of the calling thread, which somebody runs; nil for one of its own.
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
        // Unsafe: from here on the loop alone has it.
        nonisolated(unsafe) let engine = engine
        let end = { @Sendable [loop, ownsLoop] in
            engine.shutDown()
            if ownsLoop { loop.stop() }
        }
        if loop.isCurrent { end() } else { loop.submit(end) }
    }

    /// The key, or a `KMSError`. Cancelling the task ends the call with `KMSError.Code.cancelled`; the request to the
    /// service goes on if other calls wait for it.
    public func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer {
        let call = Lock<PublicKeyCall?>(nil)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let begun = begin(query) { continuation.resume(returning: $0) }
                call.withLock { $0 = begun }
            }
        } onCancel: {
            // After the call has begun, which happens without a pause on the loop.
            loop.submit { call.withLock { $0 }.map { self.cancel($0) } }
        }
        return try outcome.get()
    }

    /// What the client has done and what it uses.
    public func status() -> ClientStatus { engine.status() }

    /// Ends the calls that are under way, and every later one, with `KMSError.Code.shuttingDown`, and closes all
    /// connections.
    public func shutdown() { engine.shutDown() }

    // MARK: For those on the same loop, which is checked

    private nonisolated var engineOnLoop: KMSEngine {
        loop.checkIsolated()
        return engine
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - arrival: when the caller asked, if that was before now.
    ///   - label: what the caller calls the call, for the log.
    ///   - completion: told the outcome, once, on the loop: at once, or later.
    /// - Returns: the call, to cancel it; nil if it has ended.
    @discardableResult
    package nonisolated func begin(
        _ query: PublicKeyQuery, arrival: Instant? = nil, label: String? = nil,
        completion: @escaping PublicKeyCompletion
    ) -> PublicKeyCall? {
        engineOnLoop.begin(query, arrival: arrival, label: label, completion).map(PublicKeyCall.init)
    }

    /// Ends a call with `KMSError.cancelled`, unless it has ended. The request to the service goes on if other calls wait
    /// for it, and is aborted if nobody does.
    package nonisolated func cancel(_ call: PublicKeyCall) { engineOnLoop.cancel(call.id) }

    /// The age of a fetched key, if a call of that arrival may have that key from the cache at once; then the call has
    /// been answered, as far as counters, order of use and refreshing ahead are concerned. Nil if the cache would give
    /// another answer, or none.
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
