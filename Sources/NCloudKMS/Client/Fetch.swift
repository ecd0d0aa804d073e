import Platform

/// The fetches under way; the waiters are the numbers of calls.
typealias Fetches = FetchTable<FetchKey, Int>

/// What calls that share a fetch have in common; the endpoint is the client's.
struct FetchKey: Hashable, Sendable {
    let request: PublicKeyRequest
    /// Nil until credentials are found.
    let identity: CredentialIdentity?

    /// As `CacheKey` does it, and for the same reason.
    func hash(into hasher: inout Hasher) {
        hasher.combine(request)
    }
}

/// One conversation with the service about one key, on behalf of every call that waits for it. A reference, as every
/// layer notes something in it; the engine's alone.
final class Fetch {
    /// Where it stands; the order of the layers.
    enum Phase: Equatable {
        case credentials
        case limiter(RateLimiter.Ticket)
        case connection
        case transfer(TransferID)
        case backoff(until: Instant)
    }

    let id: Fetches.FetchID
    let request: PublicKeyRequest
    var phase = Phase.credentials
    var progress: RetryProgress
    /// What its attempt is signed with.
    var credentials: Credentials?
    /// The signature of its attempt; nil for a token.
    var signature: String?
    /// What the wall clock was corrected by for the signature of its attempt.
    var signedOffset = Duration.zero
    /// Its last attempt was on a kept connection that turned out to be dead.
    var needsNewConnection = false
    /// How its last attempt failed.
    var lastError: KMSError?

    /// What its attempt was authenticated with.
    var sent: SentCredentials { SentCredentials(credentials, signature: signature) }

    /// Whether the time is a part of what its attempt is authenticated with.
    var isSignedWithTime: Bool {
        if case .keyPair = credentials?.kind { true } else { false }
    }

    init(_ id: Fetches.FetchID, _ request: PublicKeyRequest, policy: RetryPolicy) {
        self.id = id
        self.request = request
        progress = RetryProgress(policy)
    }

    /// The error of a call whose time ends before the next attempt: how the last one failed, as that says more than our
    /// own limit does, or else the limit.
    func errorWithoutTime(toWait delay: Duration) -> KMSError {
        guard var error = lastError else { return .rateLimitedHere(retryAfter: delay) }
        error.reason = error.reason ?? RetryStop.deadline.rawValue
        error.attempts = progress.attempts
        error.retryAfter = error.retryable ? delay : nil
        return error
    }

    /// What a call that waits for it is doing, in the words of an error.
    ///
    /// - Parameter transferPhase: how far its transfer has come, if there is one.
    func activity(_ transferPhase: (TransferID) -> TransportFailure.Phase?) -> KMSError.Activity {
        switch phase {
        case .credentials: .waitingForCredentials
        case .limiter: .waitingForLimiter
        case .connection: .waitingForConnection
        case .transfer(let transfer):
            switch transferPhase(transfer) {
            case .resolving, .connecting, .handshake: .connecting
            case .waiting, .receiving, nil: .waitingForAnswer
            }
        case .backoff: .waitingToRepeat
        }
    }
}

/// A call that waits.
struct WaitingCall {
    let query: PublicKeyQuery
    let arrival: Instant
    /// What the caller calls it, for the log.
    let label: String?
    let place: Fetches.WaiterID
    let completion: PublicKeyCompletion
}

/// Told the outcome of a call, once.
public typealias PublicKeyCompletion = @Sendable (Result<PublicKeyAnswer, KMSError>) -> Void
