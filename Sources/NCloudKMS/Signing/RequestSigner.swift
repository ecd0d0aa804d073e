import CKMSOpenSSL
import KMSPlatform

/// Makes the headers that authenticate one attempt: three for a signed request, or one for a token. One signer serves
/// one set of credentials.
///
/// Not for concurrent use.
final class RequestSigner {
    static let timestampHeader = "x-ncp-apigw-timestamp"
    static let accessKeyHeader = "x-ncp-iam-access-key"
    static let signatureHeader = "x-ncp-apigw-signature-v2"
    static let tokenHeader = "x-ncp-ocapi-token"

    private enum Method {
        case signature(accessKeyID: String, MessageAuthenticator)
        case token(SecretBytes)
    }

    private let method: Method
    private var message: [UInt8] = []

    /// - Throws: `KMSError` if OpenSSL lacks HMAC-SHA256 or memory.
    init(_ credentials: Credentials) throws(KMSError) {
        method =
            switch credentials.kind {
            case .keyPair(let accessKeyID, let secret):
                .signature(accessKeyID: accessKeyID, try MessageAuthenticator(key: secret))
            case .token(let token): .token(token)
            }
    }

    /// The headers of one attempt. A retry needs new ones: the service refuses an old timestamp.
    ///
    /// - Parameters:
    ///   - method: the HTTP method, in upper case.
    ///   - target: the whole request target: the path from `/kms/v1` on, and the query if there is one.
    ///   - timestampMilliseconds: since 1970-01-01T00:00:00Z, by the service's clock.
    func headers(
        method: String, target: String, timestampMilliseconds: Int64
    ) throws(KMSError) -> [(name: String, value: String)] {
        switch self.method {
        case .token(let token):
            return [(Self.tokenHeader, token.withBytes { String(decoding: $0, as: UTF8.self) })]
        case .signature(let accessKeyID, let authenticator):
            let timestamp = String(timestampMilliseconds)
            message.removeAll(keepingCapacity: true)
            message.append(contentsOf: method.utf8)
            message.append(UInt8(ascii: " "))
            message.append(contentsOf: target.utf8)
            message.append(UInt8(ascii: "\n"))
            message.append(contentsOf: timestamp.utf8)
            message.append(UInt8(ascii: "\n"))
            message.append(contentsOf: accessKeyID.utf8)
            let signature = Base64.encode(try authenticator.authenticate(message))
            return [
                (Self.timestampHeader, timestamp), (Self.accessKeyHeader, accessKeyID),
                (Self.signatureHeader, signature),
            ]
        }
    }
}

/// HMAC-SHA256 with one key (RFC 2104): an OpenSSL context that is keyed once and restarted for each message, which
/// costs a fifth of a new key setup.
///
/// Not for concurrent use.
final class MessageAuthenticator {
    static let digestLength = 32

    private let context: OpaquePointer

    /// - Throws: `KMSError` if OpenSSL lacks HMAC-SHA256 or memory.
    init(key: SecretBytes) throws(KMSError) {
        guard let algorithm = EVP_MAC_fetch(nil, "HMAC", nil) else { throw .signingFailed }
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else { throw .signingFailed }
        self.context = context

        // Both texts must live until the call returns: the parameters only point to them.
        let status = OSSL_MAC_PARAM_DIGEST.withCString { name in
            "SHA256".withCString { digest in
                // OpenSSL only reads the digest's name, in spite of the pointer's type.
                var parameters = [
                    OSSL_PARAM_construct_utf8_string(name, UnsafeMutablePointer(mutating: digest), 0),
                    OSSL_PARAM_construct_end(),
                ]
                return key.withBytes { EVP_MAC_init(context, $0.baseAddress, $0.count, &parameters) }
            }
        }
        guard status == 1 else { throw .signingFailed }
    }

    deinit {
        EVP_MAC_CTX_free(context)
    }

    /// The 32 bytes that authenticate a message.
    func authenticate(_ message: [UInt8]) throws(KMSError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.digestLength)
        var length = 0
        guard
            EVP_MAC_init(context, nil, 0, nil) == 1,
            EVP_MAC_update(context, message, message.count) == 1,
            EVP_MAC_final(context, &digest, &length, digest.count) == 1,
            length == Self.digestLength
        else { throw .signingFailed }
        return digest
    }
}
