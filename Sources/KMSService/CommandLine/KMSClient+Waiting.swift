import NCloudKMS
import Platform

extension KMSClient {
    /// The outcome of a call, for commands that have nothing else to do meanwhile.
    ///
    /// - Throws: `PlatformError` when the system has no descriptors left to wait with.
    package func waitForKey(_ query: PublicKeyQuery) throws(PlatformError) -> Result<PublicKeyAnswer, KMSError> {
        let outcome = try Handover<Result<PublicKeyAnswer, KMSError>>()
        publicKey(query) { outcome.bring($0) }
        return outcome.wait()
    }
}

extension SignatureVerifier {
    /// The outcome of a verification, likewise.
    package func waitForVerdict(
        _ query: SignatureQuery
    ) throws(PlatformError) -> Result<SignatureVerdict, SignatureFailure> {
        let outcome = try Handover<Result<SignatureVerdict, SignatureFailure>>()
        verify(query, arrival: clock.now) { outcome.bring($0) }
        return outcome.wait()
    }
}
