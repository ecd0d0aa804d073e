import CKMSOpenSSL
import KMSPlatform
import KMSPublicKeys

/// A public key as processes share it through the engine. The engine is not trusted: every entry carries a tag that only
/// holders of the MAC key can make.
///
/// ```
/// 1 startedAt attempts tag requestId|-
/// -----BEGIN PUBLIC KEY-----
/// …
/// ```
struct SharedEntry: Equatable {
    static let maximumBytes = 4 << 10
    /// How far clocks that count as equal may differ.
    static let clockTolerance = Duration.seconds(2)

    /// Why an entry is not used.
    enum Rejection: Error, Equatable {
        case tooLarge
        /// It does not have the form above.
        case malformed
        /// Its tag is wrong: it was forged, damaged, or made for another key, version, service or MAC key.
        case wrongTag
        /// It is older than the cache's time to live.
        case aged
        case fromTheFuture
        /// Its key failed a check that keys from the service have to pass.
        case invalidKey

        /// What is wrong, for the log.
        var sentence: String {
            switch self {
            case .tooLarge: "It has more than \(SharedEntry.maximumBytes) bytes."
            case .malformed: "It does not have the form of an entry."
            case .wrongTag: "Its authentication tag is wrong: somebody without the MAC key may have written it."
            case .aged: "It is older than the cache's time to live."
            case .fromTheFuture: "It is from the future: a clock is wrong."
            case .invalidKey: "Its key failed a check."
            }
        }
    }

    /// The start of the fetch by the service's clock, in milliseconds since 1970-01-01T00:00:00Z.
    var startedAt: Int64
    /// The HTTP requests of the fetch.
    var attempts: Int
    var requestID: String?
    /// The service's own text.
    var pem: [UInt8]

    init(startedAt: Int64, attempts: Int, requestID: String?, pem: [UInt8]) {
        self.startedAt = startedAt
        self.attempts = attempts
        // Others could not be told from the end of the field.
        self.requestID = requestID.flatMap { $0 != "-" && !$0.isEmpty && $0.hasOnly(\.isVisibleASCII) ? $0 : nil }
        self.pem = pem
    }

    /// Reads and authenticates an entry. Its age and its key have not been checked then.
    ///
    /// - Parameter request: what the entry must be for.
    init(_ text: [UInt8], for request: PublicKeyRequest, _ seal: SharedSeal) throws(Rejection) {
        guard text.count <= Self.maximumBytes else { throw .tooLarge }
        guard let lineEnd = text.firstIndex(of: UInt8(ascii: "\n")) else { throw .malformed }
        let fields = text[..<lineEnd].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 5, fields[0] == "1", let startedAt = Int64(digits: fields[1]),
            let attempts = Int64(digits: fields[2]), let tag = Base64.decode(fields[3])
        else { throw .malformed }
        self.init(
            startedAt: startedAt, attempts: Int(attempts), requestID: fields[4],
            pem: Array(text[(lineEnd + 1)...]))
        // Every byte of the line counts.
        guard requestID ?? "-" == fields[4] else { throw .malformed }
        guard let expected = seal.tag(of: self, for: request), expected.count == tag.count,
            CRYPTO_memcmp(expected, tag, tag.count) == 0
        else { throw .wrongTag }
    }

    /// The entry as a text; nil if it is too large, or OpenSSL fails.
    func text(for request: PublicKeyRequest, _ seal: SharedSeal) -> [UInt8]? {
        guard let tag = seal.tag(of: self, for: request) else { return nil }
        let line = "1 \(startedAt) \(attempts) \(Base64.encode(tag)) \(requestID ?? "-")\n"
        let text = Array(line.utf8) + pem
        return text.count <= Self.maximumBytes ? text : nil
    }

    /// How old it is; slightly negative if the clocks differ slightly.
    ///
    /// - Parameters:
    ///   - wallClock: this machine's time as the service sees it, in milliseconds since 1970-01-01T00:00:00Z.
    ///   - timeToLive: the cache's.
    func age(wallClock: Int64, timeToLive: Duration) throws(Rejection) -> Duration {
        let (milliseconds, overflow) = wallClock.subtractingReportingOverflow(startedAt)
        let age = Duration.milliseconds(milliseconds)
        guard !overflow, age >= .zero - Self.clockTolerance else { throw .fromTheFuture }
        guard age <= timeToLive else { throw .aged }
        return age
    }

    /// Whether an entry of that age may answer a call with that limit.
    static func isYoungEnough(_ age: Duration, for limit: Duration) -> Bool { age + clockTolerance <= limit }
}

extension Int64 {
    /// A number in decimal, without a sign or leading zeros; nil for any other text.
    fileprivate init?(digits: String) {
        guard let number = Int64(digits), number >= 0, String(number) == digits else { return nil }
        self = number
    }
}

/// Names and authenticates the shared entries of one service, with one MAC key.
///
/// Not for concurrent use.
final class SharedSeal {
    private static let purpose = Array("ncloud-kms-rpc shared keys 1".utf8)

    private let authenticator: MessageAuthenticator
    private let baseURL: String

    /// - Parameters:
    ///   - secret: what all members of the fleet have: the secret access key, the token, or the contents of the MAC
    ///     file.
    ///   - baseURL: the service's.
    /// - Throws: `KMSError` if OpenSSL has no HMAC-SHA256 or no memory.
    init(secret: SecretBytes, baseURL: String) throws(KMSError) {
        let key = try MessageAuthenticator(key: secret).authenticate(Self.purpose)
        authenticator = try MessageAuthenticator(key: SecretBytes(key))
        self.baseURL = baseURL
    }

    /// The part of an entry's name that stands for its key and version; nil if OpenSSL fails.
    func name(of request: PublicKeyRequest) -> String? {
        authenticate(["name", baseURL, request.keyTag.text, Self.version(of: request)]).map {
            $0.prefix(16).hexadecimal
        }
    }

    fileprivate func tag(of entry: SharedEntry, for request: PublicKeyRequest) -> [UInt8]? {
        authenticate(
            [
                "entry 1", baseURL, request.keyTag.text, Self.version(of: request), String(entry.startedAt),
                String(entry.attempts), entry.requestID ?? "-",
            ], entry.pem)
    }

    private static func version(of request: PublicKeyRequest) -> String {
        request.version.map { String($0.number) } ?? ""
    }

    /// Every part is preceded by its length, so that no two lists of parts give the same message.
    private func authenticate(_ parts: [String], _ last: [UInt8]? = nil) -> [UInt8]? {
        var message: [UInt8] = []
        for part in parts { message.append(part: part.utf8) }
        if let last { message.append(part: last) }
        return try? authenticator.authenticate(message)
    }
}

extension [UInt8] {
    fileprivate mutating func append(part: some Collection<UInt8>) {
        Swift.withUnsafeBytes(of: UInt32(part.count).bigEndian) { append(contentsOf: $0) }
        append(contentsOf: part)
    }
}
