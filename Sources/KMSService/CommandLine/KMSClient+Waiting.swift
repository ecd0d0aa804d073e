import NCloudKMS
import Platform

extension KMSClient {
    /// The outcome of a call, for commands that have nothing else to do meanwhile.
    ///
    /// - Throws: `KMSError`; `PlatformError` when the system has no descriptors left to wait with.
    package func waitForKey(_ query: PublicKeyQuery) throws -> PublicKeyAnswer {
        let outcome = try Handover<Result<PublicKeyAnswer, KMSError>>()
        publicKey(query) { outcome.bring($0) }
        return try outcome.wait().get()
    }

    /// The outcomes of calls that are made at once, in the order of the queries.
    ///
    /// - Throws: `PlatformError` when the system has no descriptors left to wait with.
    package func waitForKeys(
        _ queries: [PublicKeyQuery]
    ) throws(PlatformError) -> [Result<PublicKeyAnswer, KMSError>] {
        typealias Outcome = Result<PublicKeyAnswer, KMSError>
        guard !queries.isEmpty else { return [] }
        let gathered = Lock<[Int: Outcome]>([:])
        let all = try Handover<[Int: Outcome]>()
        for (index, query) in queries.enumerated() {
            publicKey(query) { outcome in
                let outcomes = gathered.withLock { gathered in
                    gathered[index] = outcome
                    return gathered
                }
                if outcomes.count == queries.count { all.bring(outcomes) }
            }
        }
        return all.wait().sorted { $0.key < $1.key }.map(\.value)
    }
}

extension SignatureVerifier {
    /// The outcome of a verification, likewise; throws `SignatureFailure`, too.
    package func waitForVerdict(_ query: SignatureQuery) throws -> SignatureVerdict {
        let outcome = try Handover<Result<SignatureVerdict, SignatureFailure>>()
        verify(query, arrival: clock.now) { outcome.bring($0) }
        return try outcome.wait().get()
    }
}
