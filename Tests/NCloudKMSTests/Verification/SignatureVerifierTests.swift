import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite struct SignatureVerifierTests {
    /// Gives answers in the order of a script, and records what was asked.
    private final class ScriptedKeys: Sendable {
        struct Asked: Sendable {
            let query: PublicKeyQuery
            let label: String?
            /// Nil once it was told: it holds the verifier, which holds this.
            var completion: PublicKeyCompletion?
        }

        private let state: Lock<(script: [Result<PublicKeyAnswer, KMSError>], asked: [Asked], cancelled: Int)>

        /// An event for each question.
        let questions: AsyncStream<Void>
        private let events: AsyncStream<Void>.Continuation

        init(_ script: [Result<PublicKeyAnswer, KMSError>]) {
            state = Lock((script, [], 0))
            (questions, events) = AsyncStream.makeStream()
        }

        var asked: [Asked] { state.withLock { $0.asked } }
        var cancelled: Int { state.withLock { $0.cancelled } }

        /// Answers at once, as for a cached key; with the script at its end, never.
        @Sendable func begin(
            _ query: PublicKeyQuery, _ arrival: Instant, _ label: String?, _ progress: FetchProgress.Handler?,
            _ completion: @escaping PublicKeyCompletion
        ) -> (@Sendable () -> Void)? {
            let answer = state.withLock { state in
                let answer = state.script.isEmpty ? nil : state.script.removeFirst()
                state.asked.append(Asked(query: query, label: label, completion: answer == nil ? completion : nil))
                return answer
            }
            events.yield()
            if let answer {
                completion(answer)
                return nil
            }
            return { self.state.withLock { $0.cancelled += 1 } }
        }

        /// Answers what was not answered at once.
        func answer(_ index: Int, with answer: PublicKeyAnswer) {
            let completion = state.withLock { state in
                defer { state.asked[index].completion = nil }
                return state.asked[index].completion
            }
            completion?(.success(answer))
        }
    }

    /// Two keys, and what the newer one signed.
    private struct Fixture: Sendable {
        let old: PublicKey
        let new: PublicKey
        let signature: String

        init() async throws {
            let pair = try await OpenSSLKeyPair.ec("P-256")
            old = try PublicKey(pem: Array(try await OpenSSLKeyPair.ec("P-256").publicKey.utf8))
            new = try PublicKey(pem: Array(pair.publicKey.utf8))
            signature = Base64.encode(try await pair.sign([1, 2, 3], algorithm: "ES256"))
        }

        func query(prefix: String = "", version: Int? = nil, timeout: Duration = .seconds(30)) throws -> SignatureQuery
        {
            try SignatureQuery(
                keyTag: KeyTag("k"), version: version.map { try KeyVersion($0) },
                signature: ServiceSignature(prefix + signature), rule: .algorithm(.es256, of: .data([1, 2, 3])),
                timeout: timeout)
        }
    }

    private static let fixture = Task { try await Fixture() }

    private func answer(
        _ key: PublicKey, _ source: PublicKeyAnswer.Source, age: Duration = .zero
    ) throws -> Result<PublicKeyAnswer, KMSError> {
        .success(
            PublicKeyAnswer(
                keyTag: try KeyTag("k"), version: nil, fetched: FetchedKey(key: key, attempts: 1, requestID: nil),
                source: source, age: age))
    }

    private let running: RunningLoop

    init() throws { running = try RunningLoop() }

    private func verifier(_ keys: ScriptedKeys, clock: any TimeSource = SystemClock()) -> SignatureVerifier {
        SignatureVerifier(on: running.loop, clock: clock, keys: keys.begin)
    }

    private func verdict(
        _ verifier: SignatureVerifier, _ query: SignatureQuery
    ) async -> Result<SignatureVerdict, SignatureFailure> {
        await withCheckedContinuation { continuation in
            verifier.loop.submit {
                verifier.assumeIsolated { verifier in
                    _ = verifier.verify(query, arrival: verifier.clock.now, label: "7") {
                        continuation.resume(returning: $0)
                    }
                }
            }
        }
    }

    @Test(arguments: [PublicKeyAnswer.Source.kms, .cache, .stale])
    func `a valid signature takes one look at the key`(_ source: PublicKeyAnswer.Source) async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.new, source)])
        let verdict = try await verdict(verifier(keys), fixture.query()).get()
        #expect(verdict.isValid)
        #expect(verdict.key.source == source)
        #expect(keys.asked.count == 1)
    }

    @Test func `a wrong signature by a cached key is tried with a fresh one`() async throws {
        let fixture = try await Self.fixture.value
        let clock = ManualClock()
        let keys = ScriptedKeys([try answer(fixture.old, .cache), try answer(fixture.new, .kms)])
        let verifier = verifier(keys, clock: clock)
        let verdict = try await verdict(verifier, fixture.query(timeout: .seconds(5))).get()
        #expect(verdict.isValid)
        #expect(verdict.key.source == .kms)
        #expect(verdict.key.key === fixture.new)
        #expect(keys.asked.map(\.query.maxAge) == [nil, .zero])
        #expect(keys.asked.map(\.query.timeout) == [.seconds(5), .seconds(5)])
        #expect(keys.asked.map(\.label) == ["7", "7"])
    }

    @Test func `a fresh key that is the same leaves it false, and says that it is fresh`() async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.old, .cache), try answer(fixture.old, .kms)])
        let verdict = try await verdict(verifier(keys), fixture.query()).get()
        #expect(!verdict.isValid)
        #expect(verdict.key.source == .kms)
    }

    @Test func `it is tried once in 30 s`() async throws {
        let fixture = try await Self.fixture.value
        let clock = ManualClock()
        let cached = try answer(fixture.old, .cache)
        let fresh = try answer(fixture.old, .kms)
        let keys = ScriptedKeys([cached, fresh, cached, cached, fresh])
        let verifier = verifier(keys, clock: clock)
        let query = try fixture.query()

        #expect(try await verdict(verifier, query).get().key.source == .kms)
        clock.advance(by: .milliseconds(29_999))
        #expect(try await verdict(verifier, query).get().key.source == .cache)
        clock.advance(by: .milliseconds(1))
        #expect(try await verdict(verifier, query).get().key.source == .kms)
        #expect(keys.asked.count == 5)
    }

    @Test func `who was told false by an older key than the recheck's shares its key`() async throws {
        let fixture = try await Self.fixture.value
        let clock = ManualClock(now: Instant(nanoseconds: 1_000_000_000_000))
        let old = try answer(fixture.old, .cache, age: .seconds(60))
        let keys = ScriptedKeys([old, try answer(fixture.new, .kms), old, try answer(fixture.new, .cache)])
        let verifier = verifier(keys, clock: clock)
        let query = try fixture.query()

        #expect(try await verdict(verifier, query).get().isValid)
        clock.advance(by: .seconds(2))
        #expect(try await verdict(verifier, query).get().isValid)
        #expect(keys.asked.map(\.query.maxAge) == [nil, .zero, nil, .seconds(2)])
    }

    @Test(arguments: [("", 1), ("ncpkms:v1:", nil)] as [(String, Int?)])
    func `a pinned version is never tried again, as it can't change`(_ prefix: String, _ version: Int?) async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.old, .cache)])
        let query = try fixture.query(prefix: prefix, version: version)
        #expect(try await !verdict(verifier(keys), query).get().isValid)
        #expect(keys.asked.count == 1)
    }

    @Test(arguments: [PublicKeyAnswer.Source.kms, .stale])
    func `only a cached key is tried again`(_ source: PublicKeyAnswer.Source) async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.old, source)])
        #expect(try await !verdict(verifier(keys), fixture.query()).get().isValid)
        #expect(keys.asked.count == 1)
    }

    @Test func `with the service unreachable the cached key's false stands`() async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.old, .cache), .failure(KMSError(.serviceUnavailable, "no route"))])
        let verdict = try await verdict(verifier(keys), fixture.query()).get()
        #expect(!verdict.isValid)
        #expect(verdict.key.source == .cache)
    }

    @Test func `a service that refuses the key has the last word`() async throws {
        let fixture = try await Self.fixture.value
        let refusal = KMSError.service(.keyUnusable, status: 422)
        let keys = ScriptedKeys([try answer(fixture.old, .cache), .failure(refusal)])
        let outcome = try await verdict(verifier(keys), fixture.query())
        guard case .failure(.key(let error)) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(error == refusal)
    }

    private func cancelled(
        _ verifier: SignatureVerifier, _ query: SignatureQuery, after begun: (isolated SignatureVerifier) async -> Void
    ) async -> KMSError? {
        let (outcomes, told) = AsyncStream<Result<SignatureVerdict, SignatureFailure>>.makeStream()
        let id = await verifier.verify(query, arrival: verifier.clock.now) { told.yield($0) }
        await begun(verifier)
        if let id { await verifier.cancel(id) }
        var iterator = outcomes.makeAsyncIterator()
        guard case .failure(.key(let error)) = await iterator.next() else { return nil }
        return error
    }

    @Test func `cancelling ends the second fetch, too`() async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([try answer(fixture.old, .cache)])
        let error = await cancelled(verifier(keys), try fixture.query()) { _ in
            var questions = keys.questions.makeAsyncIterator()
            for _ in 0..<2 { await questions.next() }
        }
        #expect(error?.code == .cancelled)
        #expect(keys.asked.count == 2)
        #expect(keys.cancelled == 1)
    }

    @Test func `cancelling ends it at once and lets go of the key`() async throws {
        let fixture = try await Self.fixture.value
        let keys = ScriptedKeys([])
        let error = await cancelled(verifier(keys), try fixture.query()) { _ in }
        #expect(error?.code == .cancelled)
        #expect(keys.cancelled == 1)
        // The key that comes all the same changes nothing.
        let late = try answer(fixture.new, .kms).get()
        await withCheckedContinuation { continuation in
            running.loop.submit {
                keys.answer(0, with: late)
                continuation.resume()
            }
        }
        #expect(keys.asked.count == 1)
    }
}
