import PublicKeys

extension KMSError {
    /// What a failed attempt means for the call.
    init(_ failure: TransportFailure) {
        switch failure.kind {
        case .untrusted(.noAuthorities), .untrusted(.clientCertificateRequired), .untrusted(.ownConfiguration),
            .untrusted(.noCommonCipher):
            self.init(.untrustedService, failure.message)
        case .untrusted:
            self.init(.untrustedService, "\(failure.message) Check the endpoint, the CA file and any proxy between.")
        case .tooLarge:
            self = .answerTooLarge(maximumBytes: HTTPResponse.largestBodyBytes)
        case .noDescriptor:
            self.init(.serviceUnavailable, failure.message)
        case .badResponse:
            self.init(.invalidServiceResponse, "\(failure.message) Check the endpoint.")
        default:
            let advice =
                failure.repetition == .never
                ? "Check the configuration of the endpoint and the proxy."
                : "Try again later, or check the network and the endpoint."
            self.init(.serviceUnavailable, "\(failure.message) \(advice)")
            // Somebody has to change something first: give a password to a proxy, correct a name.
            if failure.repetition == .never { retryable = false }
        }
    }

    /// The key in the answer failed a check.
    static func invalidKey(_ error: PublicKeyError) -> KMSError {
        var invalid = KMSError.invalidKey(error.description)
        invalid.reason = error.name
        return invalid
    }

    func about(_ keyTag: KeyTag) -> KMSError {
        var error = self
        error.keyTag = keyTag.text
        return error
    }
}
