import KMSPlatform
import KMSTestSupport
import Testing

/// Random sessions against the real program, checked against a small model of the contract. `CONTRIBUTING.md` says how to
/// repeat one.
@Suite(.timeLimit(.minutes(20))) struct ModelTests {
    /// The sessions of a run have consecutive seeds.
    private static let seed = variable("NCLOUD_KMS_MODEL_SEED").flatMap { UInt64($0) } ?? 20_261_126
    private static let sessions = variable("NCLOUD_KMS_MODEL_SESSIONS").flatMap { Int($0) } ?? 300
    /// At once: most wait for the service, or for a time limit.
    private static let parallel = 4

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Runs sessions until there are none, and reports each that breaks the contract.
    ///
    /// - Parameter inspect: looks at the others.
    fileprivate static func check(
        _ next: @escaping @Sendable () -> UInt64?,
        inspect: @escaping @Sendable (ModelSession, ModelRecord) throws -> Void = { _, _ in }
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<parallel {
                group.addTask {
                    while let seed = next() {
                        let session = ModelSession.random(seed: seed)
                        let record = try await session.run()
                        let violations = ModelCheck(session, record).violations
                        guard !violations.isEmpty else {
                            try inspect(session, record)
                            continue
                        }
                        Issue.record(
                            """
                            NCLOUD_KMS_MODEL_SEED=\(seed) NCLOUD_KMS_MODEL_SESSIONS=1 repeats this session:
                            \(session.description)
                            \(violations.joined(separator: "\n"))
                            \(record.log.suffix(4_000))
                            """)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(.notUnderThreadSanitizer) func `no session breaks the contract`() async throws {
        let seeds = Lock(Self.seed..<(Self.seed + UInt64(Self.sessions)))
        try await Self.check { seeds.withLock { $0.popFirst() } }
    }

    @Test(.notUnderThreadSanitizer, arguments: ModelMutant.allCases)
    func `each mistake is found within 500 sessions`(_ mutant: ModelMutant) async throws {
        var generator = SeededGenerator(seed: Self.seed)
        for seed in 0..<UInt64(500) {
            let session = ModelSession.random(seed: seed)
            let record = try await session.run()
            #expect(ModelCheck(session, record).violations == [])
            guard let mutated = try mutant.mutate(record, of: session, &generator) else { continue }
            if !ModelCheck(session, mutated).violations.isEmpty { return }
        }
        Issue.record("\(mutant) was not found")
    }
}

/// The same for minutes.
@Suite(.enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK")) struct ModelSoakTests {
    @Test func `no session breaks the contract, for as long as the soak takes`() async throws {
        // Another seed each time.
        let first = UInt64(SystemClock().wallClockMilliseconds)
        let next = Lock(first)
        let end = SystemClock().now + .seconds(60 * Soak.minutes)
        let mistakes = Lock<[ModelMutant: (made: Int, found: Int)]>([:])
        try await ModelTests.check {
            guard SystemClock().now < end else { return nil }
            return next.withLock { seed in
                defer { seed += 1 }
                return seed
            }
        } inspect: { session, record in
            var generator = SeededGenerator(seed: session.seed)
            for mutant in ModelMutant.allCases {
                guard let mutated = try mutant.mutate(record, of: session, &generator) else { continue }
                let isFound = !ModelCheck(session, mutated).violations.isEmpty
                mistakes.withLock { mistakes in
                    let count = mistakes[mutant] ?? (0, 0)
                    mistakes[mutant] = (count.made + 1, count.found + (isFound ? 1 : 0))
                }
            }
        }
        try Soak.report("model: sessions, first seed", "\(next.withLock { $0 } - first), \(first)")
        for (mutant, count) in mistakes.withLock({ $0 }).sorted(by: { "\($0.key)" < "\($1.key)" }) {
            try Soak.report("model: \(mutant), made and found", "\(count.made), \(count.found)")
        }
    }
}
