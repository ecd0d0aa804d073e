import CKMSOpenSSL
import KMSPlatform

/// Determines who sent a request, as the gateway does (NAVER's API guide,
/// https://api.ncloud-docs.com/docs/en/common-ncpapi).
struct Authenticator: Sendable {
    /// A timestamp that differs from the server's clock by 5 minutes or more is invalid (NAVER's API guide).
    static let allowedSkewMilliseconds: Int64 = 5 * 60 * 1_000

    private let accessKeys: [String: Seed.AccessKey]
    private let tokens: [String: Seed.Token]

    init(accessKeys: [Seed.AccessKey], tokens: [Seed.Token]) {
        self.accessKeys = Dictionary(accessKeys.map { ($0.id, $0) }) { first, _ in first }
        self.tokens = Dictionary(tokens.map { ($0.token, $0) }) { first, _ in first }
    }

    /// Why a request is refused with 401 and code 200.
    enum Failure: Error, Equatable {
        case missingHeader(String)
        case unreadableTimestamp
        case clockTooFarAway
        case unknownAccessKey
        case wrongSignature
        case unknownToken
        case expiredToken

        var details: String {
            switch self {
            case .missingHeader(let name): "The header \(name) is missing."
            case .unreadableTimestamp: "The timestamp is not a number of milliseconds."
            case .clockTooFarAway: "The timestamp is 5 minutes or more away from the server's clock."
            case .unknownAccessKey: "The access key is unknown."
            case .wrongSignature: "The signature does not match."
            case .unknownToken: "The token is unknown."
            case .expiredToken: "The token has expired."
            }
        }
    }

    /// A caller, and the caller's permissions.
    enum Caller: Equatable {
        case account(Seed.AccessKey)
        case token(Seed.Token)

        func mayGetPublicKey(of keyTag: String) -> Bool {
            switch self {
            case .account(let accessKey):
                guard let permissions = accessKey.permissions else { return true }
                return permissions.contains { $0.keyTag == nil || $0.keyTag == keyTag }
            case .token(let token):
                return token.keyTag == keyTag
            }
        }
    }

    /// A token takes precedence: it is sent instead of the other three headers.
    ///
    /// - Parameter wallClockMilliseconds: the server's clock, in milliseconds since 1970.
    func caller(of head: RequestHead, wallClockMilliseconds: Int64) throws(Failure) -> Caller {
        if let value = head.token {
            guard let token = tokens[value] else { throw .unknownToken }
            if let expiry = token.expiresAtMilliseconds, expiry <= wallClockMilliseconds { throw .expiredToken }
            return .token(token)
        }
        guard let timestamp = head.timestamp else { throw .missingHeader(HeaderName.timestamp) }
        guard let accessKeyID = head.accessKey else { throw .missingHeader(HeaderName.accessKey) }
        guard let signature = head.signature else { throw .missingHeader(HeaderName.signature) }

        guard timestamp.utf8.allSatisfy(\.isASCIIDigit), let milliseconds = Int64(timestamp) else {
            throw .unreadableTimestamp
        }
        let (skew, overflow) = milliseconds.subtractingReportingOverflow(wallClockMilliseconds)
        guard !overflow, skew.magnitude < UInt64(Self.allowedSkewMilliseconds) else { throw .clockTooFarAway }

        guard let accessKey = accessKeys[accessKeyID] else { throw .unknownAccessKey }
        let expected = RequestSignature.compute(
            method: head.method, target: head.target, timestamp: timestamp, accessKey: accessKeyID,
            secret: accessKey.secret)
        guard RequestSignature.matches(signature, expected) else { throw .wrongSignature }
        return .account(accessKey)
    }
}

/// Version 2 of the API gateway's signature (NAVER's API guide, https://api.ncloud-docs.com/docs/en/common-ncpapi).
///
/// The client implements the same rule separately, and neither may use the other's code: an error in one must not be
/// hidden by the same error in the other.
enum RequestSignature {
    /// Base64(HMAC-SHA256(secret, string to sign)).
    ///
    /// - Parameter target: the request target as received: path and query.
    static func compute(
        method: String, target: String, timestamp: String, accessKey: String, secret: String
    ) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(method.utf8.count + target.utf8.count + timestamp.utf8.count + accessKey.utf8.count + 3)
        text.append(contentsOf: method.utf8)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: target.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: timestamp.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: accessKey.utf8)

        let secret = Array(secret.utf8)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        // Fails only if OpenSSL has no SHA-256 or no memory; the digest of zeros then matches no signature.
        _ = HMAC(EVP_sha256(), secret, Int32(secret.count), text, text.count, &digest, nil)
        return Base64.encode(digest)
    }

    /// Whether the signatures are equal, compared in constant time.
    static func matches(_ signature: String, _ expected: String) -> Bool {
        let (given, expected) = (Array(signature.utf8), Array(expected.utf8))
        return given.count == expected.count && CRYPTO_memcmp(given, expected, expected.count) == 0
    }
}
