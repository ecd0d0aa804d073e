import KMSPublicKeys

/// What a caller asks for.
public struct PublicKeyQuery: Sendable {
    /// How long a call may take, waiting and retries included.
    public static let defaultTimeout = Duration.seconds(30)

    /// Which key.
    public var keyTag: KeyTag
    /// Which version of it; nil is the latest.
    public var version: KeyVersion?
    /// How old an answer may be, counted from the start of its request to the service; zero asks the service.
    /// Nil, and anything above it, is the cache's time to live.
    public var maxAge: Duration?
    /// How long the call may take, waiting and retries included.
    public var timeout: Duration

    /// A query for a key.
    ///
    /// - Parameters:
    ///   - keyTag: which key.
    ///   - version: nil for the latest.
    ///   - maxAge: how old the key may be; zero asks the service, nil leaves it to the cache.
    ///   - timeout: for the whole call.
    public init(
        keyTag: KeyTag, version: KeyVersion? = nil, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) {
        self.keyTag = keyTag
        self.version = version
        self.maxAge = maxAge
        self.timeout = timeout
    }

    /// What the service is asked for it.
    var request: PublicKeyRequest { PublicKeyRequest(keyTag: keyTag, version: version) }
}

/// A public key and where it came from.
public struct PublicKeyAnswer: Sendable {
    /// Where a key came from.
    public enum Source: String, Sendable {
        /// The service was asked for this call, or for one that it joined.
        case kms
        /// The client's cache had it.
        case cache
        /// The service could not be asked, and the cached key is older than it should be.
        case stale
    }

    /// Which key it is.
    public let keyTag: KeyTag
    /// As it was asked: the service does not say which version the latest is.
    public let version: KeyVersion?
    package let fetched: FetchedKey
    /// Where the key came from.
    public let source: Source
    /// From the start of the request to the service to the arrival of the call; zero if that came first.
    public let age: Duration

    /// The key.
    public var key: PublicKey { fetched.key }
    /// HTTP requests that the fetch behind the answer took.
    public var attempts: Int { fetched.attempts }
    /// The service's name for its answer, if it sent one.
    public var requestID: String? { fetched.requestID }

    /// An answer as a client gives it, for fakes of `PublicKeyProvider` in tests.
    public init(
        _ key: PublicKey, keyTag: KeyTag, version: KeyVersion? = nil, source: Source = .kms, age: Duration = .zero,
        attempts: Int = 1, requestID: String? = nil
    ) {
        self.init(
            keyTag: keyTag, version: version,
            fetched: FetchedKey(key: key, attempts: attempts, requestID: requestID), source: source, age: age)
    }

    init(
        keyTag: KeyTag, version: KeyVersion?, fetched: FetchedKey, source: Source, age: Duration
    ) {
        self.keyTag = keyTag
        self.version = version
        self.fetched = fetched
        self.source = source
        self.age = age
    }

    init(_ query: PublicKeyQuery, _ fetched: FetchedKey, source: Source, age: Duration) {
        self.init(keyTag: query.keyTag, version: query.version, fetched: fetched, source: source, age: age)
    }
}

/// What a fetch brought. All answers that come from one fetch share it, so its identity tells that they are alike.
package final class FetchedKey: Sendable {
    package let key: PublicKey
    /// HTTP requests that the fetch took.
    package let attempts: Int
    /// The service's name for its answer, if it sent one.
    package let requestID: String?

    package init(key: PublicKey, attempts: Int, requestID: String?) {
        self.key = key
        self.attempts = attempts
        self.requestID = requestID
    }
}
