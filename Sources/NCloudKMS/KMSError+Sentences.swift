import KMSPlatform
import KMSPublicKeys

// The messages of `KMSError`: one sentence about what happened and what to do.
extension KMSError {
    // MARK: Credentials

    /// - Parameter looked: the places that were searched, each with what was found there.
    package static func credentialsUnavailable(looked: [String]) -> KMSError {
        KMSError(
            .credentialsUnavailable,
            "No credentials were found; looked in \(looked.joined(separator: "; ")). Set NCLOUD_ACCESS_KEY_ID and "
                + "NCLOUD_SECRET_ACCESS_KEY, or write both to ~/.ncloud/configure.")
    }

    /// Credentials were found but can't be used: an incomplete pair, or an invalid line.
    static func credentialsUnusable(_ problem: String) -> KMSError {
        KMSError(.credentialsUnavailable, "The credentials can't be used: \(problem).", reason: "unusable")
    }

    /// OpenSSL failed; a request is never sent without a signature.
    static let signingFailed = KMSError(
        .credentialsUnavailable,
        "The request could not be signed: OpenSSL has no HMAC-SHA256; check its configuration.",
        reason: "signing")

    // MARK: The service's answers

    /// - Parameters:
    ///   - saysWhy: whether the error contains the service's own text.
    ///   - detail: what is wrong with the answer; only for 1010.
    package static func service(
        _ code: Code, status: Int, saysWhy: Bool = false, detail: String? = nil
    ) -> KMSError {
        let sentence =
            switch code {
            case .authenticationFailed:
                "The service did not accept the credentials; check the key pair or token, and this machine's clock."
            case .permissionDenied:
                "The credentials are valid, but have no permission for this key; grant them "
                    + "Get Public Key on it."
            case .keyNotFound: "The service has no key with this tag; check the tag and the zone."
            case .keyUnusable:
                "The service refuses this key or version: it is disabled, does not exist, or has no public key."
            case .rateLimited: "The service throttled the request; call less often, or try again later."
            case .quotaExceeded:
                "The API's quota is used up; raise it in the console, or wait until it is reset."
            case .serviceUnavailable: "The service failed (HTTP \(status)); try again later."
            case .requestRejected where saysWhy:
                "The service rejected the request (HTTP \(status)); its own message says why."
            case .requestRejected:
                "The service rejected the request (HTTP \(status)) without a reason; check the endpoint and the key tag."
            default: "The service's answer (HTTP \(status)) was not understood: \(detail ?? "unexpected status")."
            }
        var error = KMSError(code, sentence)
        error.httpStatus = status
        return error
    }

    /// The key in the answer failed a check.
    static func invalidKey(_ error: PublicKeyError) -> KMSError {
        var invalid = service(.invalidServiceResponse, status: 200, detail: error.description)
        invalid.reason = error.name
        return invalid
    }

    /// The answer is larger than the client accepts.
    static func answerTooLarge(maximumBytes: Int) -> KMSError {
        KMSError(
            .invalidServiceResponse,
            "The service's answer has more than \(maximumBytes) bytes, which no public key needs; check the endpoint.",
            reason: "too-large")
    }

    // MARK: Transport

    /// Translates the failure of an attempt into the error of the call.
    init(_ failure: TransportFailure) {
        switch failure.kind {
        case .untrusted(.noAuthorities), .untrusted(.clientCertificateRequired), .untrusted(.ownConfiguration),
            .untrusted(.noCommonCipher):
            self.init(.untrustedService, failure.message)
        case .untrusted:
            self.init(.untrustedService, "\(failure.message) Check the endpoint, the CA file and any proxy in between.")
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
            // Something must be changed first: a proxy needs a password, or a name is wrong.
            if failure.repetition == .never { isRetryable = false }
        }
    }

    // MARK: The client's own limits

    static func rateLimitedHere(retryAfter: Duration) -> KMSError {
        KMSError(
            .rateLimited,
            "Too many calls are waiting for the client's own rate limit; call less often, or try again later.",
            reason: "local-limit", retryAfter: retryAfter)
    }

    package static func deadlineExceeded(while activity: Activity) -> KMSError {
        KMSError(
            .deadlineExceeded,
            "The call timed out while \(activity.rawValue); allow more time, or try again later.",
            reason: activity.word)
    }

    /// What a call was doing when its time ran out.
    package enum Activity: String, CaseIterable, Sendable {
        case waitingForSharedKey = "waiting for a shared key"
        case waitingForLimiter = "waiting for the rate limiter"
        case waitingForCredentials = "waiting for the server role's credentials"
        case waitingForConnection = "waiting for a free connection"
        case connecting = "connecting to the service"
        case waitingForAnswer = "waiting for the service's answer"
        case waitingToRepeat = "waiting before another attempt"

        var word: String {
            switch self {
            case .waitingForSharedKey: "shared-key"
            case .waitingForLimiter: "rate-limiter"
            case .waitingForCredentials: "credentials"
            case .waitingForConnection: "connection"
            case .connecting: "connecting"
            case .waitingForAnswer: "answer"
            case .waitingToRepeat: "backoff"
            }
        }
    }

    package static let cancelled = KMSError(.cancelled, "The call was cancelled.")

    package static let shuttingDown = KMSError(
        .shuttingDown, "The client was shut down before the call ended; create a new one.")
}
