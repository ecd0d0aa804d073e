import NCloudKMS
import KMSPlatform

// Blocking calls for commands, which have nothing else to do: each runs the client's loop on the calling thread until
// the result is known.

extension KMSClient {
    /// Makes several calls at once.
    ///
    /// - Returns: their outcomes, in the order of the queries.
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
    /// Verifies a signature, and returns the outcome.
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
