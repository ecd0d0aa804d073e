import KMSJSON
import KMSPlatform

/// The service's answer to Get Public Key. Only the tables here translate its answers into errors.
enum ServiceAnswer: Sendable {
    /// A string, the PEM as sent; `KMSPublicKeys` decides whether it is an acceptable key.
    case publicKey(pem: JSONValue)
    case failure(ServiceFailure)

    /// - Parameters:
    ///   - status: the HTTP status.
    ///   - body: anything; both error shapes, text, HTML and an empty body have been seen.
    ///   - sent: the credentials of the request, which the text of a failure must not repeat.
    init(status: Int, body: [UInt8], to sent: SentCredentials) {
        self = body.withUnsafeBufferPointer { bytes in
            let document = ServiceDocument(bytes)
            if status == 200, let pem = document.publicKey { return .publicKey(pem: pem) }
            let code = document.code
            let (verdict, detail) = Self.verdict(of: document, code: code, status: status)
            return .failure(
                ServiceFailure(
                    verdict, status: status, code: code, message: document.message, in: bytes, to: sent, detail: detail)
            )
        }
    }

    typealias Verdict = (code: KMSError.Code, repetition: Repetition)

    // MARK: The table

    private static func verdict(
        of document: borrowing ServiceDocument, code: String?, status: Int
    ) -> (Verdict, detail: String?) {
        if let code, let verdict = verdict(ofKnown: code, isGatewayError: document.isGatewayError, status: status) {
            return (verdict, nil)
        }
        guard status == 200 else { return (verdict(ofStatus: status), nil) }
        let isKnown = code == nil || (code == ServiceDocument.success && !document.isGatewayError)
        return isKnown
            ? ((.invalidServiceResponse, .once), document.flaw)
            : ((.invalidServiceResponse, .never), "its code is unknown")
    }

    /// A known code decides, whatever the status, because a proxy may change the status but not the body.
    private static func verdict(ofKnown code: String, isGatewayError: Bool, status: Int) -> Verdict? {
        if let verdict = namedCodes[code] { return verdict }
        guard let row = gatewayCodes[code] else { return nil }
        // The gateway's numbers count in its own shape, unless they only repeat the status. Elsewhere they count only
        // with the status that they belong to, because a `"code": "400"` may be the status itself.
        let repeatsStatus = status >= 400 && code == String(status)
        let counts = isGatewayError ? !repeatsStatus : row.status == status
        return counts ? row.verdict : nil
    }

    /// The codes of KMS itself, and of the standard that NAVER's services have followed since 2026.
    private static let namedCodes: [String: Verdict] = [
        "FORBIDDEN": (.permissionDenied, .never),
        "UNAUTHORIZED": (.authenticationFailed, .afterReauthentication),
        "UNPROCESSABLE_ENTITY": (.keyUnusable, .never),
        "INVALID_REQUEST": (.keyUnusable, .never),
        "INTERNAL_SERVER_ERROR": (.serviceUnavailable, .afterBackoff),
        // Also at HTTP 400, which the standard uses for a single missing object.
        "NotFound": (.keyNotFound, .never),
        "ResourceNotFound": (.keyNotFound, .never),
        "Forbidden": (.permissionDenied, .never),
        "Unauthorized": (.authenticationFailed, .afterReauthentication),
        "InvalidParameter": (.requestRejected, .never),
        "BadRequest": (.requestRejected, .never),
    ]

    private static let gatewayCodes: [String: (status: Int, verdict: Verdict)] = [
        "100": (400, (.requestRejected, .never)),
        "200": (401, (.authenticationFailed, .afterReauthentication)),
        "210": (401, (.permissionDenied, .never)),
        "230": (403, (.permissionDenied, .never)),
        "300": (404, (.keyNotFound, .never)),
        "400": (429, (.quotaExceeded, .never)),
        "410": (429, (.rateLimited, .afterThrottling)),
        "420": (429, (.rateLimited, .afterThrottling)),
        "430": (413, (.requestRejected, .never)),
        "500": (503, (.serviceUnavailable, .afterBackoff)),
        "510": (504, (.serviceUnavailable, .afterBackoff)),
        "900": (500, (.serviceUnavailable, .afterBackoff)),
    ]

    private static func verdict(ofStatus status: Int) -> Verdict {
        switch status {
        case 401: (.authenticationFailed, .afterReauthentication)
        case 403: (.permissionDenied, .never)
        case 404: (.keyNotFound, .never)
        case 408, 500, 502, 503, 504: (.serviceUnavailable, .afterBackoff)
        case 429: (.rateLimited, .afterThrottling)
        case 400..<500: (.requestRejected, .never)
        case 500..<600: (.serviceUnavailable, .never)
        default: (.invalidServiceResponse, .never)
        }
    }
}

/// An answer without a key: which error it is, and whether the request may be repeated.
struct ServiceFailure: Equatable, Sendable {
    let code: KMSError.Code
    let repetition: Repetition
    let httpStatus: Int
    /// The service's own code, as text even if it sent a number; truncated if it is long.
    let kmsCode: String?
    /// The service's own text; truncated if it is long.
    let kmsMessage: String?
    /// Whether the service's text contained a private key or our credentials, and is therefore not repeated.
    let isTextWithheld: Bool
    /// For 1010: what is wrong with the answer, as the end of a sentence.
    let detail: String?

    fileprivate init(
        _ verdict: ServiceAnswer.Verdict, status: Int, code: String?, message: String?,
        in body: UnsafeBufferPointer<UInt8>, to sent: SentCredentials, detail: String?
    ) {
        let texts = [code, message].compactMap(\.self)
        // The extracted texts are checked, too: in the body they may be escaped.
        let isPrivate = ServiceText.holdsPrivateKey(body) || texts.contains { ServiceText.holdsPrivateKey($0.utf8) }
        func shown(_ text: String?) -> String? {
            text.flatMap { isPrivate || sent.areRepeated(in: $0) ? nil : ServiceText.capped($0) }
        }
        self.code = verdict.code
        repetition = verdict.repetition
        httpStatus = status
        kmsCode = shown(code)
        kmsMessage = shown(message)
        isTextWithheld = isPrivate || [kmsCode, kmsMessage].compactMap(\.self).count < texts.count
        self.detail = detail
    }

    var error: KMSError {
        var error = KMSError.service(code, status: httpStatus, saysWhy: kmsMessage != nil, detail: detail)
        if isTextWithheld { error.message += " Its text is withheld: it contains a private key or credentials." }
        error.kmsCode = kmsCode
        error.kmsMessage = kmsMessage
        return error
    }
}

/// Text from the service: cut so that our answers stay small, and not repeated at all if it contains a secret.
enum ServiceText {
    /// Twice the longest message in NAVER's API guide, with room for a key tag.
    static let maximumBytes = 1_024

    /// The longest prefix of `text` that fits into `maximumBytes` of UTF-8; no character is cut.
    static func capped(_ text: String) -> String {
        text.prefix(utf8Bytes: maximumBytes)
    }

    static func holdsPrivateKey(_ text: some Collection<UInt8>) -> Bool {
        text.holds("PRIVATE KEY".utf8)
    }
}
