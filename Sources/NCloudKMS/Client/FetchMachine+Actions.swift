import KMSPlatform

/// What the machine is made with, and the words in which it and its owner speak.
extension FetchMachine {
    struct Configuration {
        /// Of a cached key: nothing older answers a call.
        var timeToLive: Duration
        /// Requests a second for each key, and for all together; 0 for no limit.
        var ratePerKey = 0
        var totalRate = 0
        /// Attempts under way at once, ≥ 1.
        var maximumConnections: Int
        var maximumAttempts = KMSClientConfiguration.defaultMaximumAttempts
        var correctsClock = true
        /// A number in 0..<1, for the jitter of retries.
        var random: @Sendable () -> Double = { .random(in: 0..<1) }
    }

    /// What its owner is to do.
    enum Action {
        /// Look for what the next attempt of a fetch is to be signed with, and call `credentials`.
        case askCredentials(FetchID)
        /// The service refused these: look for others, and call `otherCredentials`.
        case askOtherCredentials(FetchID, than: CredentialIdentity)
        /// End the attempt that is under way.
        case cancel(FetchID)
        /// Keep a key for later calls.
        case store(FetchedKey, CacheKey, fetchStart: Instant)
        /// The service was asked for a key in vain, so that what is kept of it may be wrong.
        case noteFailure(KMSError.Code, CacheKey, fetchStart: Instant)
        /// A call has ended.
        case tell(WaitingCall, Outcome)
        case log(FetchEvent, FetchDescription)
    }

    /// An attempt to send.
    struct Departure {
        let fetch: FetchID
        let request: PublicKeyRequest
        let credentials: Credentials
        /// To be added to the wall clock for the signature.
        let clockOffset: Duration
        let needsNewConnection: Bool
        /// Should it fail, there may be another.
        let hasAnotherAttempt: Bool
    }

    /// How a call ended.
    enum Outcome {
        /// - Parameter age: from the start of the fetch to the arrival of the call; zero if the call came first.
        case key(FetchedKey, age: Duration)
        case failure(KMSError)
        /// Its time ended during an attempt: how far that has come is for the transport to say.
        case timedOut(FetchID, attempts: Int)
    }

    /// What its owner found of credentials.
    enum CredentialAnswer {
        case found(Credentials)
        /// The metadata service is being asked: `credentialsMayBeThere` follows.
        case awaited
        case unavailable(KMSError)
    }
}

extension FetchMachine.CredentialAnswer {
    var identity: CredentialIdentity? {
        if case .found(let credentials) = self { credentials.identity } else { nil }
    }
}
