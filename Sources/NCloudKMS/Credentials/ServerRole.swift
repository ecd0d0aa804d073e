import KMSPlatform

/// The key pair that a VPC server gets for its role: decides what to ask the metadata service next, and when. It sends
/// nothing itself; `KMSEngine` does, and passes the answers in.
///
/// At most one request is under way; the old keys are used while new ones are fetched.
struct ServerRole: Sendable {
    enum Step: Sendable {
        /// Use these credentials; also send the request, if there is one.
        case ready(Credentials, refresh: MetadataRequest?)
        /// There are no credentials yet: send this request, and let the callers wait for the answer.
        case ask(MetadataRequest)
        /// Another caller's request is under way: wait for its answer.
        case wait
        /// The last request failed a short while ago: why, and when the next one may be sent.
        case unavailable(String, retryAfter: Duration)
    }

    /// The keys are replaced this long before they expire.
    static let refreshMargin = Duration.seconds(15 * 60)
    /// A machine without a metadata service must not look for it on every call.
    static let failureMemory = Duration.seconds(60)
    /// Keys that are about to expire justify more frequent requests.
    static let failedRefreshMemory = Duration.seconds(10)
    /// Keys that have less than the margin left when they arrive are not requested again on every call.
    static let minimumRefreshInterval = Duration.seconds(60)

    static let endpointVariable = "NCLOUD_METADATA_API_ENDPOINT"
    private static let defaultEndpoint = "http://169.254.169.254"
    private static let path = "/latest/meta-data/iam/security-credentials/"

    private struct Held {
        let credentials: Credentials
        let refresh: Instant
        let end: Instant
    }

    private enum Question {
        case roleID
        case keys(roleID: String)
    }

    let endpoint: Endpoint
    private var held: Held?
    private var question: Question?
    private var failure: (reason: String, end: Instant)?

    /// - Throws: `InvalidValue` if the environment names a metadata service that is neither link-local, nor on this
    ///   machine, nor reached over https: anybody could answer in its place.
    init(_ environment: EnvironmentVariables) throws(InvalidValue) {
        let name = Self.endpointVariable
        let endpoint = try Endpoint(anySecurity: environment[name] ?? Self.defaultEndpoint, name: name)
        guard endpoint.scheme == .https || endpoint.isLoopback || endpoint.isLinkLocal else {
            throw InvalidValue(name, "must be a link-local or loopback address, or use https")
        }
        self.endpoint = endpoint
    }

    /// Whether a request is under way.
    var isAsking: Bool { question != nil }

    /// The keys that may be used now.
    func credentials(now: Instant) -> Credentials? {
        held.flatMap { now < $0.end ? $0.credentials : nil }
    }

    /// What to do for a call that needs credentials.
    mutating func next(now: Instant) -> Step {
        let mayAsk = question == nil && failure.map { now >= $0.end } ?? true
        if let credentials = credentials(now: now) {
            let isDue = held.map { now >= $0.refresh } ?? false
            return .ready(credentials, refresh: isDue && mayAsk ? ask() : nil)
        }
        if question != nil { return .wait }
        if let failure, now < failure.end {
            return .unavailable(failure.reason, retryAfter: failure.end - now)
        }
        return .ask(ask())
    }

    /// Handles the outcome of the current request.
    ///
    /// - Returns: the request to send next; nil if this was the last one, so that waiting callers may ask again.
    mutating func ended(_ outcome: Result<HTTPResponse, TransportFailure>, now: Instant) -> MetadataRequest? {
        switch outcome {
        case .success(let response):
            // By the clock that determines the expiration of the keys, because this machine's may be wrong.
            let wallClock = response.freshServerDate ?? response.received.wallClockMilliseconds
            return answered(
                status: response.status, body: response.body, now: now, wallClockMilliseconds: wallClock)
        case .failure(let failure):
            // The sentence becomes part of another one.
            let reason = failure.message.hasSuffix(".") ? String(failure.message.dropLast()) : failure.message
            failed(reason, now: now)
            return nil
        }
    }

    /// Handles the answer to the current request.
    ///
    /// - Parameters:
    ///   - wallClockMilliseconds: the current time, since 1970-01-01T00:00:00Z, by the best available clock.
    /// - Returns: the request to send next; nil if this was the last one, so that waiting callers may ask again.
    mutating func answered(
        status: Int, body: [UInt8], now: Instant, wallClockMilliseconds: Int64
    ) -> MetadataRequest? {
        guard let question else { return nil }
        guard status == 200 else {
            failed(status == 404 ? "it has no role for this server" : "it answered with HTTP \(status)", now: now)
            return nil
        }
        do {
            switch question {
            case .roleID:
                let roleID = try ServerRoleDocument.roleID(in: body)
                self.question = .keys(roleID: roleID)
                return MetadataRequest(endpoint: endpoint, target: Self.path + roleID)
            case .keys(let roleID):
                let document = try ServerRoleDocument(body)
                let lifetime = Duration.milliseconds(
                    document.expiration.subtractingReportingOverflow(wallClockMilliseconds).partialValue)
                try hold(document, roleID: roleID, lifetime: lifetime, now: now)
            }
        } catch {
            failed(error.text, now: now)
        }
        return nil
    }

    /// The current request got no answer.
    ///
    /// - Parameter reason: the end of a sentence: "it did not answer within 3 s".
    mutating func failed(_ reason: String, now: Instant) {
        question = nil
        failure = (reason, now + (held == nil ? Self.failureMemory : Self.failedRefreshMemory))
    }

    private mutating func ask() -> MetadataRequest {
        question = .roleID
        return MetadataRequest(endpoint: endpoint, target: Self.path)
    }

    private mutating func hold(
        _ document: ServerRoleDocument, roleID: String, lifetime: Duration, now: Instant
    ) throws(ServerRoleDocument.Problem) {
        guard lifetime > .zero else {
            throw ServerRoleDocument.Problem("its keys have already expired; check this machine's clock")
        }
        let credentials: Credentials
        do {
            credentials = try Credentials(
                accessKeyID: document.accessKeyID, secretAccessKey: document.secretAccessKey,
                source: .serverRole(name: roleID))
        } catch {
            let name = error.name == "accessKeyID" ? "AccessKeyId" : "SecretAccessKey"
            throw ServerRoleDocument.Problem("its \(name) \(error.problem)")
        }
        // On the monotonic clock from here on: the wall clock may jump before the keys expire.
        let refresh = max(lifetime - Self.refreshMargin, Self.minimumRefreshInterval)
        held = Held(credentials: credentials, refresh: now + refresh, end: now + lifetime)
        question = nil
        failure = nil
    }
}

/// A request to a server's metadata service: a `GET`, sent directly and never through a proxy.
struct MetadataRequest: Equatable, Sendable {
    static let method = "GET"
    static let connectTimeout = Duration.seconds(1)
    static let timeout = Duration.seconds(3)

    let endpoint: Endpoint
    let target: String
}

extension HTTPRequest {
    /// A request to the metadata service.
    init(_ request: MetadataRequest) {
        self.init(
            method: .get, baseURL: request.endpoint.description, target: request.target,
            attemptTimeout: MetadataRequest.timeout, connectTimeout: MetadataRequest.connectTimeout,
            isDirect: true, allowsPlainHTTP: true)
    }
}

extension HTTPResponse {
    /// When it was written, by the server's clock; milliseconds since 1970-01-01T00:00:00Z.
    var serverDate: Int64? {
        headers.date.flatMap { HTTPDate.milliseconds(of: $0, now: received.wallClockMilliseconds) }
    }

    /// Nil for an answer from a cache: its date is in the past.
    fileprivate var freshServerDate: Int64? { headers.age == nil ? serverDate : nil }
}
