import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@testable import KMSEmulator
@testable import NCloudKMS

/// On an injected clock: a service that throttles at 50 a second, and a thousand calls for one key that are asked within
/// five seconds.
@Suite struct ThrottlingTests {
    private static let callCount = 1_000
    private static let askedWithin = Duration.seconds(5)
    private static let servicePerSecond = 50
    /// What the service sees from then on.
    private static let settledAfter = Duration.seconds(5)
    private static let mostPerSecond = 60.0

    /// What came of a run.
    private struct Outcome {
        var failures: [KMSError] = []
        var sent: [Instant] = []
        /// How many of a burst could be sent at once when all was over for ten seconds.
        var sentAtOnce = 0
    }

    /// - Parameter versions: how many different ones the calls ask for, one after the other.
    private func run(versions: Int, seed: UInt64) throws -> Outcome {
        let tag = try KeyTag("k")
        // A key has at most 100 versions; those who ask with other rights share no fetch, either.
        let identities = try (0..<10).map {
            try Credentials(accessKeyID: "ACCESS\($0)", secretAccessKey: SecretBytes("SECRET".utf8))
        }
        let pem = try #require(Seed.demo.keys.first?.versions.first?.publicKey)
        let key = try PublicKey(pem: Array(pem.utf8))
        let generator = Lock(SeededGenerator(seed: seed))
        var now = Instant(nanoseconds: 0)
        var throttle = Throttle(requestsPerSecond: Self.servicePerSecond)
        var outcome = Outcome()
        var machine = FetchMachine(
            FetchMachine.Configuration(
                timeToLive: KMSClientConfiguration.defaultCacheTimeToLive,
                ratePerKey: KMSClientConfiguration.defaultRatePerKey, maximumConnections: 1_000,
                random: { generator.withLock { .random(in: 0..<1, using: &$0) } }),
            now: now)
        var ended = 0

        func carryOut() {
            while let action = machine.nextAction() {
                switch action {
                case .askCredentials(let fetch): machine.credentials(.found(identities[0]), for: fetch, now: now)
                case .tell(_, let told):
                    ended += 1
                    if case .failure(let error) = told { outcome.failures.append(error) }
                case .askOtherCredentials, .cancel, .store, .noteFailure, .report, .log, .engine: break
                }
            }
            guard let departure = machine.nextDeparture(now: now) else { return }
            let fetch = departure.fetch
            machine.started(departure, now: now)
            outcome.sent.append(now)
            let isAdmitted = throttle.admits(tag.text, at: now)
            machine.responded(fetch, isAdmitted ? .key(key) : .throttled, now: now)
            carryOut()
        }

        let step = Self.askedWithin.nanoseconds / Int64(Self.callCount)
        var asked = 0
        while ended < Self.callCount {
            if asked < Self.callCount {
                let different = asked % versions
                let query = PublicKeyQuery(keyTag: tag, version: try KeyVersion(1 + different % 100), maxAge: .zero)
                asked += 1
                _ = machine.call(
                    WaitingCall(query, arrival: now, label: nil) { _ in }, .found(identities[different / 100]), now: now
                )
                carryOut()
            }
            now = now + .nanoseconds(step)
            machine.due(now: now)
            carryOut()
        }

        now = now + .seconds(10)
        for number in 1...100 {
            let query = PublicKeyQuery(keyTag: tag, version: try KeyVersion(number), maxAge: .zero)
            _ = machine.call(WaitingCall(query, arrival: now, label: nil) { _ in }, .found(identities[0]), now: now)
        }
        while machine.nextDeparture(now: now) != nil { outcome.sentAtOnce += 1 }
        return outcome
    }

    @Test(arguments: [3, 20, 100, 1_000], UInt64(1)...5)
    func `no call fails, the service sees little more than it takes, and the rate comes back`(
        versions: Int, seed: UInt64
    ) throws {
        let outcome = try run(versions: versions, seed: seed)
        #expect(outcome.failures.isEmpty, "\(outcome.failures.count): \(Set(outcome.failures))")
        let settled = Instant(nanoseconds: 0) + Self.settledAfter
        let end = outcome.sent.last ?? settled
        let late = outcome.sent.count { $0 >= settled }
        let seconds = Double((end - settled).nanoseconds) / 1e9
        if seconds > 1 { #expect(Double(late) / seconds <= Self.mostPerSecond) }
        // A tenth of a second's worth, as before the throttling.
        #expect(outcome.sentAtOnce == KMSClientConfiguration.defaultRatePerKey / 10)
    }
}

extension AttemptOutcome {
    fileprivate static func key(_ key: PublicKey) -> AttemptOutcome {
        AttemptOutcome(result: .success(key), response: nil)
    }

    fileprivate static let throttled = AttemptOutcome(
        result: .failure(AttemptFailure(error: .service(.rateLimited, status: 429), repetition: .afterThrottling)),
        response: nil)
}
