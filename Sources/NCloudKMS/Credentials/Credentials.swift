import KMSPlatform
import KMSPublicKeys

/// What a request is authenticated with: a key pair that signs it, or a token that is sent.
public struct Credentials: Sendable {
    enum Kind: Sendable {
        case keyPair(accessKeyID: String, secret: SecretBytes)
        case token(SecretBytes)
    }

    let kind: Kind
    /// Where they came from.
    public let source: CredentialSource

    /// Distinguishes these credentials from others in cache keys.
    let identity: CredentialIdentity

    /// Creates credentials from a key pair, which signs requests.
    ///
    /// - Parameters:
    ///   - accessKeyID: not empty; only visible ASCII characters, because it is sent in a header.
    ///   - secretAccessKey: likewise.
    ///   - source: its name in the log and in `ClientStatus`.
    /// - Throws: `InvalidValue` named `accessKeyID` or `secretAccessKey`; it never contains the text of either.
    public init(
        accessKeyID: String, secretAccessKey: SecretBytes, source: CredentialSource = .application
    ) throws(InvalidValue) {
        guard Self.isVisible(accessKeyID.utf8) else { throw .notVisible("accessKeyID") }
        guard secretAccessKey.withBytes(Self.isVisible) else { throw .notVisible("secretAccessKey") }
        kind = .keyPair(accessKeyID: accessKeyID, secret: secretAccessKey)
        identity = CredentialIdentity(Array(accessKeyID.utf8), secretAccessKey)
        self.source = source
    }

    /// Creates credentials from an access token, which is sent with requests and is valid for one key.
    ///
    /// - Parameters:
    ///   - token: not empty; only visible ASCII characters.
    ///   - source: its name in the log and in `ClientStatus`.
    /// - Throws: `InvalidValue` named `token`; it never contains the token's text.
    public init(token: SecretBytes, source: CredentialSource = .application) throws(InvalidValue) {
        guard token.withBytes(Self.isVisible) else { throw .notVisible("token") }
        kind = .token(token)
        identity = CredentialIdentity([], token)
        self.source = source
    }

    /// The first four characters of the access key id and "…": enough to recognise it. Nil for a token.
    public var abbreviatedAccessKeyID: String? {
        guard case .keyPair(let accessKeyID, _) = kind else { return nil }
        return "\(accessKeyID.prefix(4))…"
    }

    /// The secret access key or the token.
    var secret: SecretBytes {
        switch kind {
        case .keyPair(_, let secret), .token(let secret): secret
        }
    }

    /// Whether a request is authenticated with a timestamp.
    var areSignedWithTime: Bool {
        if case .keyPair = kind { true } else { false }
    }

    /// Advice if one of the values is in quotation marks; otherwise nil. Quotation marks are sent, because a key could
    /// contain them, although no such key is known.
    package var adviceOnQuotationMarks: String? {
        let quoted =
            switch kind {
            case .token(let token): token.withBytes(Self.isQuoted) ? "The token" : nil as String?
            case .keyPair(let accessKeyID, let secret):
                Self.isQuoted(Array(accessKeyID.utf8))
                    ? "The access key id" : secret.withBytes(Self.isQuoted) ? "The secret access key" : nil
            }
        return quoted.map {
            "\($0) from \(source) is in quotation marks, which are part of the value (docker --env-file keeps them): "
                + "remove them."
        }
    }

    private static func isQuoted(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        guard bytes.count >= 2, let first = bytes.first, first == bytes.last else { return false }
        return first == UInt8(ascii: "\"") || first == UInt8(ascii: "'")
    }

    /// Without this a line break in a key would end its header and begin another.
    private static func isVisible(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy(\.isVisibleASCII)
    }
}

extension Credentials: CustomStringConvertible {
    /// The abbreviated access key id, or that it is a token, and the source.
    public var description: String {
        switch kind {
        case .keyPair: "access key \(abbreviatedAccessKeyID ?? "") from \(source)"
        case .token: "token from \(source)"
        }
    }
}

/// Where credentials came from. It prints as words, for people and for `getStatus`.
public enum CredentialSource: Hashable, Sendable, CustomStringConvertible {
    /// Passed in by the program that uses this library.
    case application
    /// Environment variables.
    case environment
    /// A profile of a configuration file, at that path.
    case profile(name: String, file: String)
    /// A token file, at that path.
    case tokenFile(String)
    /// The role of the server, from its metadata service.
    case serverRole(name: String)

    /// The source in words.
    public var description: String {
        switch self {
        case .application: "the application"
        case .environment: "the environment"
        case .profile(let name, let file): "profile \(name.excerpt) of \(file.excerpt)"
        case .tokenFile(let file): "token file \(file.excerpt)"
        case .serverRole(let name): "server role \(name)"
        }
    }
}

/// A hash of a key pair or token, so that no secret is needed to tell them apart.
package struct CredentialIdentity: Hashable, Sendable {
    // Half of a SHA-256 is enough: nobody but ourselves chooses the pairs.
    private let high: UInt64
    private let low: UInt64

    /// - Parameter accessKeyID: empty for a token.
    init(_ accessKeyID: [UInt8], _ secret: SecretBytes) {
        // The inner hash gives the second half one length, so no two pairs run together alike.
        let digest = HashFunction.sha256.digest(of: accessKeyID + secret.withBytes(HashFunction.sha256.digest))
        (high, low) = digest.withUnsafeBytes {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}

extension InvalidValue {
    fileprivate static func notVisible(_ name: String) -> InvalidValue {
        InvalidValue(name, "must not be empty, and must not contain spaces or non-ASCII characters")
    }
}
