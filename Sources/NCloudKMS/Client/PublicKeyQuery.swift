import KMSPublicKeys

/// A request for a key.
public struct PublicKeyQuery: Sendable {
    /// 30 seconds.
    public static let defaultTimeout = Duration.seconds(30)

    /// The key.
    public var keyTag: KeyTag
    /// Its version; nil for the latest.
    public var version: KeyVersion?
    /// The maximum age of the key, from the start of the request that fetched it; with zero, the key always comes from
    /// the service. Nil, and any larger value, means the cache's time to live.
    public var maxAge: Duration?
    /// The maximum duration of the call, including waiting and retries.
    public var timeout: Duration
    #if Tracing
    /// The span of its call; nil while nothing has begun, or nobody traces it.
    var trace: CallTrace?
    #endif

    /// Creates a query.
    ///
    /// - Parameters:
    ///   - keyTag: the key.
    ///   - version: its version; nil for the latest.
    ///   - maxAge: the maximum age of the key; with zero, the key always comes from the service. Nil means the cache's
    ///     time to live.
    ///   - timeout: the maximum duration of the call.
    public init(
        keyTag: KeyTag, version: KeyVersion? = nil, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) {
        self.keyTag = keyTag
        self.version = version
        self.maxAge = maxAge
        self.timeout = timeout
    }

    /// The request to the service.
    var request: PublicKeyRequest { PublicKeyRequest(keyTag: keyTag, version: version) }
}

/// A public key and where it came from.
public struct PublicKeyAnswer: Sendable {
    /// Where a key came from.
    public enum Source: String, Sendable {
        /// A request for this call, or for one that it joined.
        case kms
        /// The client's cache.
        case cache
        /// Another process, through the shared engine.
        case shared
        /// The cache, with an expired key, because the service could not be reached.
        case stale
    }

    /// The tag that the call asked for.
    public let keyTag: KeyTag
    /// The version that the call asked for; nil for the latest, whose number the service does not return.
    public let version: KeyVersion?
    package let fetched: FetchedKey
    /// Where the key came from.
    public let source: Source
    /// The time from the start of the request that fetched the key to the arrival of the call; zero if the call came
    /// first.
    public let age: Duration

    /// The key.
    public var key: PublicKey { fetched.key }
    /// The number of HTTP requests that it took to fetch the key.
    public var attempts: Int { fetched.attempts }
    /// The service's ID of the request, if it sent one.
    public var requestID: String? { fetched.requestID }

    /// Creates an answer like a client's, for fakes of `PublicKeyProvider` in tests.
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

/// The result of a fetch. All answers from one fetch share it, so its identity shows that they are the same.
package final class FetchedKey: Sendable {
    package let key: PublicKey
    /// HTTP requests that the fetch took.
    package let attempts: Int
    /// The service's ID of its answer, if it sent one.
    package let requestID: String?

    package init(key: PublicKey, attempts: Int, requestID: String?) {
        self.key = key
        self.attempts = attempts
        self.requestID = requestID
    }
}
