import Platform

/// One conversation with the service about one key, on behalf of every call that waits for it.
struct Fetch {
    /// Where it stands; the order of the layers.
    enum Phase: Equatable {
        case credentials
        case limiter
        case connection
        case transfer(TransferID)
        case backoff
    }

    let number: Int
    let request: PublicKeyRequest
    var phase = Phase.credentials
    /// The calls that wait for it, in the order of their arrival.
    var waiters: [Int] = []
    /// What its next attempt is signed with.
    var credentials: Credentials?
    /// HTTP requests made.
    var attempts = 0
    /// When its first request was handed to the transport: what the age of its answer counts from.
    var started: Instant?

    init(number: Int, request: PublicKeyRequest) {
        self.number = number
        self.request = request
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
