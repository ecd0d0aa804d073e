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
}

extension SignatureVerifier {
    /// The outcome of a verification, likewise; throws `SignatureFailure`, too.
    package func waitForVerdict(_ query: SignatureQuery) throws -> SignatureVerdict {
        let outcome = try Handover<Result<SignatureVerdict, SignatureFailure>>()
        verify(query, arrival: clock.now) { outcome.bring($0) }
        return try outcome.wait().get()
    }
}
