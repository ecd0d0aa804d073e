import Platform

/// One conversation with the service about one key, on behalf of every call that waits for it.
struct Fetch {
    /// Where it stands; the order of the layers.
    enum Phase: Equatable {
        case credentials
        case limiter(RateLimiter.Ticket)
        case connection
        case transfer(TransferID)
        case backoff
    }

    let number: Int
    let request: PublicKeyRequest
    var phase = Phase.credentials
    /// The calls that wait for it, in the order of their arrival.
    var waiters: [Int] = []
    /// Goes on when nobody waits: it refreshes a cached key.
    var isBackground = false
    var progress: RetryProgress
    /// When its first request was handed to the transport: what the age of its answer counts from.
    var started: Instant?
    /// What its attempt is signed with.
    var credentials: Credentials?
    /// What the wall clock was corrected by for the signature of its attempt.
    var signedOffset = Duration.zero

    init(number: Int, request: PublicKeyRequest, policy: RetryPolicy) {
        self.number = number
        self.request = request
        progress = RetryProgress(policy)
    }

    /// What a call that waits for it is doing, in the words of an error.
    var activity: KMSError.Activity {
        switch phase {
        case .credentials: .waitingForCredentials
        case .limiter: .waitingForLimiter
        case .connection: .waitingForConnection
        case .transfer: .waitingForAnswer
        case .backoff: .waitingToRepeat
        }
    }
}

/// A call that waits.
struct WaitingCall {
    let query: PublicKeyQuery
    let arrival: Instant
    let deadline: Instant
    let fetch: Int
    let completion: PublicKeyCompletion
}

/// Told the outcome of a call, once.
public typealias PublicKeyCompletion = @Sendable (Result<PublicKeyAnswer, KMSError>) -> Void
