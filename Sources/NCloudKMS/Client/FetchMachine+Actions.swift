import KMSPlatform

// The terms of this module:
// - client: what the host's code calls; its engine runs on an event loop and owns the cache, the machine and libcurl
// - query: what a caller asks for; call: one query on its way to an answer
// - request: the part of a query that the service sees, a key tag and a version
// - fetch: all attempts to get one key from the service; calls for the same request join one fetch
// - attempt: one HTTP request; retry: an attempt after the first one; transfer: an attempt within libcurl
// - answer: what the service sends, or what a call returns; refusal: an answer with an error
// - credentials: a key pair, a token or a server's role; their identity tells one set from another
// - failure: why an attempt or a call has no key; fault: which of several parties is to blame
// - kept connection: one that libcurl reuses; surplus: data on it that no request asked for
// - limiter, quota: bounds for requests per second, and for retries

/// The machine's configuration, its actions, and the answers that it receives.
extension FetchMachine {
    struct Configuration {
        /// The maximum age of a cached key.
        var timeToLive: Duration
        /// Requests per second for each key, and in total; 0 for no limit.
        var ratePerKey = 0
        var totalRate = 0
        /// The maximum number of concurrent attempts, ≥ 1.
        var maximumConnections: Int
        var maximumAttempts = KMSClientConfiguration.defaultMaximumAttempts
        var correctsClock = true
        /// What is shared with other processes; nil for nothing.
        var shared: SharedState.Configuration?
        /// Returns a number in 0..<1, for the jitter of retries.
        var random: @Sendable () -> Double = { .random(in: 0..<1) }
    }

    /// What the engine has to do.
    enum Action {
        /// Find the credentials for the next attempt of a fetch, and call `credentials`.
        case askCredentials(FetchID)
        /// The service refused these credentials: find others, and call `otherCredentials`.
        case askOtherCredentials(FetchID, than: CredentialIdentity)
        /// Cancel the current attempt.
        case cancel(FetchID)
        /// Store a key for later calls.
        case store(FetchedKey, CacheKey, fetchStart: Instant)
        /// The service was asked for a key without success, so the cached key may be obsolete.
        case noteFailure(KMSError.Code, CacheKey, fetchStart: Instant)
        /// A call waits for something other than the answer to its first attempt.
        case report(WaitingCall, FetchProgress)
        /// A call has ended.
        case tell(WaitingCall, Outcome)
        case log(FetchEvent, FetchDescription)
        /// Do something with the shared engine, and call `engineConnected`, `engineLost` and `engineReplied`.
        case engine(EngineDialogue.Request)
    }

    /// An attempt to send.
    struct Departure {
        let fetch: FetchID
        let request: PublicKeyRequest
        let credentials: Credentials
        /// Added to the wall clock for the signature.
        let clockOffset: Duration
        let needsNewConnection: Bool
        /// Whether another attempt may follow if this one fails.
        let hasAnotherAttempt: Bool
    }

    /// How a call ended.
    enum Outcome {
        /// - Parameter age: from the start of the fetch to the arrival of the call; zero if the call arrived first.
        case key(FetchedKey, source: PublicKeyAnswer.Source, age: Duration)
        case failure(KMSError)
        /// Its time ran out during an attempt; the transport knows how far the attempt got.
        case timedOut(FetchID, attempts: Int)
    }

    /// The engine's answer about credentials.
    enum CredentialAnswer {
        case found(Credentials)
        /// A request to the metadata service is under way; `credentialsMayBeThere` follows.
        case awaited
        case unavailable(KMSError)
    }
}

extension FetchMachine.CredentialAnswer {
    var identity: CredentialIdentity? {
        if case .found(let credentials) = self { credentials.identity } else { nil }
    }
}
