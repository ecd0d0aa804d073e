import JSON

/// What the service said to Get Public Key: the one table of 01-kms-api.md, section Errors.
package enum ServiceAnswer: Equatable, Sendable {
    /// The PEM as it was sent; whether it is a key that may be trusted is for `PublicKeys` to say.
    case publicKey(pem: [UInt8])
    case failure(ServiceFailure)

    /// - Parameters:
    ///   - status: of HTTP.
    ///   - body: anything; both error shapes, text, HTML and nothing at all have been seen.
    ///   - sent: what the request was authenticated with, which no text of a failure may repeat.
    package init(status: Int, body: [UInt8], to sent: SentCredentials) {
        let document = ServiceDocument(body, to: sent)
        if let verdict = Self.verdict(ofKnownCodeIn: document, status: status) {
            self = .failure(document.failure(verdict, status: status))
        } else if status != 200 {
            self = .failure(document.failure(Self.verdict(ofStatus: status), status: status))
        } else if let code = document.code, code != ServiceDocument.success || document.isGatewayError {
            let verdict = (KMSError.Code.invalidServiceResponse, Repetition.never)
            self = .failure(document.failure(verdict, status: status, detail: "its code is unknown"))
        } else if document.code != nil, let pem = document.publicKey {
            self = .publicKey(pem: pem)
        } else {
            let verdict = (KMSError.Code.invalidServiceResponse, Repetition.once)
            self = .failure(document.failure(verdict, status: status, detail: document.flaw))
        }
    }

    typealias Verdict = (code: KMSError.Code, repetition: Repetition)

    // MARK: The table

    /// A known code decides at any status, because a proxy may change the status and never the body. The gateway's
    /// numbers mean something in its own shape; elsewhere only beside the status that they belong to, as a
    /// `"code": "400"` may as well be the status itself.
    private static func verdict(ofKnownCodeIn document: ServiceDocument, status: Int) -> Verdict? {
        guard let code = document.code else { return nil }
        switch code {
        case ServiceDocument.success: return nil
        case "FORBIDDEN": return (.permissionDenied, .never)
        case "UNAUTHORIZED": return (.authenticationFailed, .afterReauthentication)
        case "UNPROCESSABLE_ENTITY", "INVALID_REQUEST": return (.keyUnusable, .never)
        case "INTERNAL_SERVER_ERROR": return (.serviceUnavailable, .afterBackoff)
        default:
            guard let row = gatewayCodes[code], document.isGatewayError || row.status == status else { return nil }
            return row.verdict
        }
    }

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
