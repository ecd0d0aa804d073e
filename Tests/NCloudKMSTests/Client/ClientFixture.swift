import KMSEmulator
import Logging
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A client and the emulator that it asks, both on a clock that stands still until the test moves it.
final class ClientFixture: Sendable {
    let clock = ManualClock()
    let emulator: Emulator
    let client: KMSClient
    private let log = MessageLog()

    /// - Parameters:
    ///   - random: what the jitter of retries is made of; 0 is no delay, and nearly 1 the longest.
    init(
        seed: Seed = .demo, faults: [String] = [], credentials: KMSClientConfiguration.Authentication? = nil,
        timeToLive: Duration = KMSClientConfiguration.defaultCacheTimeToLive, staleIfError: Duration = .zero,
        ratePerKey: Int = 0, connections: Int = 32, random: Double = 0
    ) throws {
        // As the program does: OpenSSL writes to connections that are closed.
        _ = signal(SIGPIPE, SIG_IGN)
        emulator = try Emulator(
            Emulator.Configuration(
                seed: seed, usesTLS: false, faults: try faults.map(Fault.init(parsing:)), clock: clock))
        let demo = Seed.AccessKey.demo
        client = try KMSClient(
            KMSClientConfiguration(
                endpoint: Endpoint(emulator.endpoint),
                authentication: try credentials
                    ?? .credentials(
                        Credentials(accessKeyID: demo.id, secretAccessKey: SecretBytes(Array(demo.secret.utf8)))),
                cacheTimeToLive: timeToLive, staleIfError: staleIfError, ratePerKey: ratePerKey,
                maximumConnections: connections),
            on: nil, clock: clock, logger: Logger(label: "test") { [log] _ in log },
            random: { random })
    }

    deinit { emulator.stop() }

    static func query(
        _ keyTag: String = "demo-rsa", version: Int? = nil, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) throws -> PublicKeyQuery {
        PublicKeyQuery(
            keyTag: try KeyTag(keyTag), version: try version.map { try KeyVersion($0) }, maxAge: maxAge,
            timeout: timeout)
    }

    /// Calls and waits for the outcome.
    func outcome(of query: PublicKeyQuery, arrival: Instant? = nil) async -> Result<PublicKeyAnswer, KMSError> {
        await withCheckedContinuation { continuation in
            client.loop.submit { [client] in
                client.begin(query, arrival: arrival) { continuation.resume(returning: $0) }
            }
        }
    }

    func answer(to query: PublicKeyQuery) async throws -> PublicKeyAnswer { try await outcome(of: query).get() }

    /// The error of a call that must not succeed.
    func error(of query: PublicKeyQuery) async throws -> KMSError {
        switch await outcome(of: query) {
        case .failure(let error): return error
        case .success(let answer):
            struct Unexpected: Error { let answer: PublicKeyAnswer }
            throw Unexpected(answer: answer)
        }
    }

    func begin(_ query: PublicKeyQuery) -> PendingCall {
        PendingCall(query, of: client, arrival: clock.now)
    }

    func status() async -> ClientStatus { await client.status() }

    /// Moves the clock, and waits until the client has seen to what is due.
    func advance(by duration: Duration) async {
        clock.advance(by: duration)
        // Between the two its thread takes a turn.
        _ = await status()
        _ = await status()
    }

    /// Waits until the client logs a message.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    func waitForLog(_ message: String) async throws {
        for await logged in log.messages where logged == message { return }
        throw CancellationError()
    }
}

/// The messages that a client logs.
private struct MessageLog: LogHandler {
    let messages: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init() { (messages, continuation) = AsyncStream.makeStream() }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { continuation.yield(event.message.description) }
}

/// A call whose outcome is waited for later.
struct PendingCall {
    private weak let client: KMSClient?
    private let call: Lock<PublicKeyCall?>
    private let stream: AsyncStream<Result<PublicKeyAnswer, KMSError>>

    /// - Parameter arrival: nil: when the client hears of it.
    init(_ query: PublicKeyQuery, of client: KMSClient, arrival: Instant? = nil) {
        let (stream, continuation) = AsyncStream<Result<PublicKeyAnswer, KMSError>>.makeStream()
        let call = Lock<PublicKeyCall?>(nil)
        (self.client, self.stream, self.call) = (client, stream, call)
        client.loop.submit {
            let begun = client.begin(query, arrival: arrival) {
                continuation.yield($0)
                continuation.finish()
            }
            call.withLock { $0 = begun }
        }
    }

    /// Cancels it, after it has begun.
    func cancel() {
        client?.loop.submit { [client, call] in
            if let begun = call.withLock({ $0 }) { client?.cancel(begun) }
        }
    }

    func outcome() async throws -> Result<PublicKeyAnswer, KMSError> {
        var iterator = stream.makeAsyncIterator()
        return try #require(await iterator.next())
    }

    func answer() async throws -> PublicKeyAnswer { try await outcome().get() }

    func error() async throws -> KMSError {
        switch try await outcome() {
        case .failure(let error): return error
        case .success: throw NoError()
        }
    }

    struct NoError: Error {}
}
