import Logging
import KMSPlatform

/// An event of a fetch that is worth a line in the log.
enum FetchEvent: Sendable {
    /// An attempt failed, and another will follow.
    case failed(KMSError, repeatedAfter: Duration, isThrottled: Bool)
    /// The credentials were refused; these are used from now on.
    case reauthenticated(Credentials)
    /// Signatures use a corrected time from now on; zero: this machine's time again.
    case clockDiffers(by: Duration)
    /// The process has no descriptors for more connections than these.
    case connectionsLimited(to: Int)
}

/// Identifies a fetch in the log.
struct FetchDescription: Sendable {
    static let maximumLabels = 4

    let request: PublicKeyRequest
    /// The number of attempts so far.
    let attempts: Int
    /// The callers' labels of the first few calls that wait for it; nil for a call without a label.
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

/// The client's log lines: one for each thing that an operator would want to know. They contain no secret and no
/// signature.
struct FetchLog {
    let logger: Logger
    /// What has already been logged about the token file.
    private var tokenFileProblem: String?
    /// The credentials file that has been warned about because other users can read or change it.
    private var fileOpenToOthers: String?

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Whether attempts are logged as well.
    var isVerbose: Bool { logger.logLevel <= .debug }

    func write(_ event: FetchEvent, _ fetch: FetchDescription) {
        var metadata = fetch.metadata
        switch event {
        case .failed(let error, let delay, let isThrottled):
            metadata["delayMs"] = .stringConvertible(delay.milliseconds)
            metadata["error"] = "\(error.message)"
            let what = isThrottled ? "the service throttled an attempt" : "an attempt failed"
            logger.warning("\(what); retrying", metadata: metadata)
        case .reauthenticated(let credentials):
            metadata["credentials"] = "\(credentials)"
            logger.notice("the credentials were refused; using others from now on", metadata: metadata)
        case .clockDiffers(by: .zero):
            logger.notice("this machine's clock is correct again")
        case .clockDiffers(let offset):
            metadata["clockSkewMs"] = .stringConvertible(offset.milliseconds)
            logger.warning(
                "this machine's clock is wrong; signing with the service's time",
                metadata: metadata)
        case .connectionsLimited(let count):
            logger.warning(
                "this process can't open more files and sockets, so requests wait for each other; raise its limit (ulimit -n)",
                metadata: ["connections": .stringConvertible(count)])
        }
    }

    func write(_ event: SharedEvent) {
        switch event {
        case .engineLost(let loss, let rate):
            var message = "the shared engine does not answer; this process goes on without it"
            if let rate {
                message =
                    "the shared engine does not answer; this process limits itself to \(rate.perThousandSeconds / 1_000)/s"
            }
            logger.warning("\(message)", metadata: ["error": "\(loss.message)"])
        case .engineReturned:
            logger.notice("the shared engine answers again")
        case .entryRejected(let rejection):
            logger.error(
                "an entry of the shared keys is not valid and was not used",
                metadata: ["error": "\(rejection.sentence)"])
        case .clockDiffers(let difference):
            logger.warning(
                "this machine's clock and the shared engine's differ, so that no shared key is used",
                metadata: ["differenceMs": .stringConvertible(difference.milliseconds)])
        }
    }

    func distrust(of endpoint: String) {
        logger.warning(
            "a request got more than one answer; dropped the others, and not reusing connections for a minute",
            metadata: ["endpoint": "\(endpoint)"])
    }

    func staleAnswer(_ answer: PublicKeyAnswer, label: String?, _ error: KMSError) {
        logger.warning(
            "answered with an expired key, because the service can't be reached",
            metadata: [
                "keyTag": "\(answer.keyTag)", "requests": "\(label ?? "-")",
                "ageMs": .stringConvertible(answer.age.milliseconds), "error": "\(error.message)",
            ])
    }

    func credentialsUnreadable(_ error: KMSError) {
        logger.warning("the credentials could not be reloaded", metadata: ["error": "\(error.message)"])
    }

    /// Warns about the files that the credentials come from: once, and again only if the problem was fixed in between.
    mutating func files(of chain: CredentialChain) {
        if chain.tokenFileProblem != tokenFileProblem {
            tokenFileProblem = chain.tokenFileProblem
            if let tokenFileProblem {
                logger.warning(
                    "the token file changed and can't be used; using the old token",
                    metadata: ["error": "\(tokenFileProblem)"])
            }
        }
        if chain.fileOpenToOthers != fileOpenToOthers {
            fileOpenToOthers = chain.fileOpenToOthers
            if let fileOpenToOthers {
                logger.warning(
                    "other users can read or change the credentials file; it should be yours alone (chown, chmod go= FILE)",
                    metadata: ["file": "\(fileOpenToOthers)"])
            }
        }
    }

    // MARK: Attempts

    /// Logs the request as it is signed, without the signature.
    func attemptBegins(_ fetch: FetchDescription, _ credentials: Credentials, timestampMilliseconds: Int64) {
        var metadata = fetch.metadata
        metadata["request"] = "\(PublicKeyRequest.method) \(fetch.request.target)"
        metadata["body"] = "\(String(decoding: fetch.request.body, as: UTF8.self))"
        metadata["timestamp"] = .stringConvertible(timestampMilliseconds)
        metadata["credentials"] = "\(credentials)"
        logger.debug("attempt started", metadata: metadata)
    }

    /// - Parameters:
    ///   - response: the response, if there was one.
    ///   - failure: why there was none.
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
        logger.debug("attempt ended", metadata: metadata)
    }
}
