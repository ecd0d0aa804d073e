import Logging
import KMSPlatform

/// What happened to a fetch that deserves a line in the log.
enum FetchEvent: Sendable {
    /// An attempt failed, and another follows.
    case failed(KMSError, repeatedAfter: Duration, isThrottled: Bool)
    /// The credentials were refused, and these are used from now on.
    case reauthenticated(Credentials)
    /// Signatures are made with another time than this machine's from now on; zero: with this machine's again.
    case clockDiffers(by: Duration)
    /// The process has no descriptors for more connections than these.
    case connectionsLimited(to: Int)
}

/// What tells a fetch from others in the log.
struct FetchDescription: Sendable {
    static let maximumLabels = 4

    let request: PublicKeyRequest
    /// Attempts begun so far.
    let attempts: Int
    /// What the callers call the calls that wait for it: the first few; nil for one without a label.
    let labels: [String?]
    let hasMoreCalls: Bool

    fileprivate var metadata: Logger.Metadata {
        let labels = labels.map { $0 ?? "-" }.joined(separator: ",")
        var metadata: Logger.Metadata = [
            "keyTag": "\(request.keyTag)", "attempt": .stringConvertible(attempts),
            "requests": "\(labels)\(hasMoreCalls ? ",…" : "")",
        ]
        if let version = request.version { metadata["keyVersion"] = .stringConvertible(version.number) }
        return metadata
    }
}

/// The client's lines: one for each thing that an operator would ask about. None holds a secret or a signature.
struct FetchLog {
    let logger: Logger
    /// What was said already of the token file.
    private var tokenFileProblem: String?
    /// The file of credentials that was warned of, as other users can read it.
    private var fileReadableByOthers: String?

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Whether attempts are logged, too.
    var isVerbose: Bool { logger.logLevel <= .debug }

    func write(_ event: FetchEvent, _ fetch: FetchDescription) {
        var metadata = fetch.metadata
        switch event {
        case .failed(let error, let delay, let isThrottled):
            metadata["delayMs"] = .stringConvertible(delay.milliseconds)
            metadata["error"] = "\(error.message)"
            let what = isThrottled ? "the service throttled an attempt" : "an attempt failed"
            logger.warning("\(what); it will be repeated", metadata: metadata)
        case .reauthenticated(let credentials):
            metadata["credentials"] = "\(credentials)"
            logger.notice("the credentials were refused; others were found and are used now", metadata: metadata)
        case .clockDiffers(by: .zero):
            logger.notice("this machine's clock is right again")
        case .clockDiffers(let offset):
            metadata["clockSkewMs"] = .stringConvertible(offset.milliseconds)
            logger.warning(
                "this machine's clock is wrong: the service's differs from it; signing with the service's time",
                metadata: metadata)
        case .connectionsLimited(let count):
            logger.warning(
                "this process may open no more files and sockets, so that requests wait for each other: raise its limit (ulimit -n)",
                metadata: ["connections": .stringConvertible(count)])
        }
    }

    func distrust(of endpoint: String) {
        logger.warning(
            "more than one answer came to a request; the others were dropped, and for a minute no connection is used twice",
            metadata: ["endpoint": "\(endpoint)"])
    }

    func staleAnswer(_ answer: PublicKeyAnswer, label: String?, _ error: KMSError) {
        logger.warning(
            "answered with an expired key, since the service can't be asked",
            metadata: [
                "keyTag": "\(answer.keyTag)", "requests": "\(label ?? "-")",
                "ageMs": .stringConvertible(answer.age.milliseconds), "error": "\(error.message)",
            ])
    }

    func credentialsUnreadable(_ error: KMSError) {
        logger.warning("credentials could not be read again", metadata: ["error": "\(error.message)"])
    }

    /// Warns of the files that the credentials come from: once, and again only after it was put right in between.
    mutating func files(of chain: CredentialChain) {
        if chain.tokenFileProblem != tokenFileProblem {
            tokenFileProblem = chain.tokenFileProblem
            if let tokenFileProblem {
                logger.warning(
                    "the token file changed and can't be used; the old token still serves",
                    metadata: ["error": "\(tokenFileProblem)"])
            }
        }
        if chain.fileReadableByOthers != fileReadableByOthers {
            fileReadableByOthers = chain.fileReadableByOthers
            if let fileReadableByOthers {
                logger.warning(
                    "other users can read the credentials file; remove their access (chmod go= FILE)",
                    metadata: ["file": "\(fileReadableByOthers)"])
            }
        }
    }

    // MARK: Attempts

    /// The request as it is signed, but for the signature.
    func attemptBegins(_ fetch: FetchDescription, _ credentials: Credentials, timestampMilliseconds: Int64) {
        var metadata = fetch.metadata
        metadata["request"] = "\(PublicKeyRequest.method) \(fetch.request.target)"
        metadata["body"] = "\(String(decoding: fetch.request.body, as: UTF8.self))"
        metadata["timestamp"] = .stringConvertible(timestampMilliseconds)
        metadata["credentials"] = "\(credentials)"
        logger.debug("an attempt begins", metadata: metadata)
    }

    /// - Parameters:
    ///   - response: what came back.
    ///   - failure: why nothing did.
    func attemptEnded(_ fetch: FetchDescription, _ response: HTTPResponse?, _ failure: TransportFailure?) {
        var metadata = fetch.metadata
        if let failure { metadata["error"] = "\(failure.message)" }
        if let response {
            metadata["status"] = .stringConvertible(response.status)
            metadata["nameLookupUs"] = .stringConvertible(response.timing.nameLookup)
            metadata["connectUs"] = .stringConvertible(response.timing.connect)
            metadata["tlsUs"] = .stringConvertible(response.timing.tls)
            metadata["firstByteUs"] = .stringConvertible(response.timing.firstByte)
            metadata["totalUs"] = .stringConvertible(response.timing.total)
            metadata["reusedConnection"] = .stringConvertible(response.reusedConnection)
            if let requestID = response.headers.requestID { metadata["requestId"] = "\(requestID)" }
        }
        logger.debug("an attempt ended", metadata: metadata)
    }
}
