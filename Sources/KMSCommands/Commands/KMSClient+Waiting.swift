import NCloudKMS
import KMSPlatform

// For commands, which have nothing else to do meanwhile: each runs the loop, on the calling thread, until it has what it
// waits for.

extension KMSClient {
    /// The outcomes of calls that are made at once, in the order of the queries.
    package nonisolated func waitForKeys(_ queries: [PublicKeyQuery]) -> [Result<PublicKeyAnswer, KMSError>] {
        guard !queries.isEmpty else { return [] }
        let outcomes = Lock<[Int: Result<PublicKeyAnswer, KMSError>]>([:])
        loop.run {
            for (index, query) in queries.enumerated() {
                begin(query) { [loop] outcome in
                    let count = outcomes.withLock { outcomes in
                        outcomes[index] = outcome
                        return outcomes.count
                    }
                    if count == queries.count { loop.stop() }
                }
            }
        }
        return outcomes.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension SignatureVerifier {
    /// The outcome of a verification.
    package nonisolated func waitForVerdict(_ query: SignatureQuery) -> Result<SignatureVerdict, SignatureFailure> {
        let outcome = Lock<Result<SignatureVerdict, SignatureFailure>>(.failure(.key(.cancelled)))
        loop.run {
            assumeIsolated { verifier in
                _ = verifier.verify(query, arrival: clock.now) { [loop] verdict in
                    outcome.withLock { $0 = verdict }
                    loop.stop()
                }
            }
        }
        return outcome.withLock { $0 }
    }
}
