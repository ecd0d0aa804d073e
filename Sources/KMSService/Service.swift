import JSONRPC
import Logging
import NCloudKMS
import Platform

/// The service, put together: a connection whose methods ask a KMS client.
public struct Service: Sendable {
    private let connection: Connection
    private let client: KMSClient
    private let logger: Logger

    /// - Parameters:
    ///   - stopDescriptors: become readable when the service is to end.
    /// - Throws: `ConfigurationError` when the configuration can't be put to work: a CA file that can't be read, a
    ///   libcurl that will not do.
    public init(
        _ configuration: ServiceConfiguration, logger: Logger, input: CInt, output: CInt, stopDescriptors: [CInt]
    ) throws(ConfigurationError) {
        self.logger = logger
        client = try configuration.makeClient(logger: logger)
        do {
            connection = try Connection(
                Connection.Configuration(
                    input: input, output: output, framing: configuration.framingValue,
                    maximumBatchCount: configuration.maximumBatchCount,
                    maximumInFlight: configuration.maximumInFlight, stopDescriptors: stopDescriptors,
                    report: { logger.report($0) }),
                methods: Self.methods(zone: configuration.zone, client: client))
        } catch {
            throw ConfigurationError("the system is out of resources: \(error)", isUsage: false)
        }
        client.tellTogether { [weak connection] tell in
            if let connection { connection.writingTogether(tell) } else { tell() }
        }
    }

    /// What requests can name, beside the `SessionMethod`s.
    package static func methods(zone: Zone, client: KMSClient) -> [any Method] {
        [
            GetPublicKey(client: client), VerifySignature(verifier: SignatureVerifier(client)),
            GetStatus(zone: zone, client: client), Discover(),
        ]
    }

    /// Serves until the input ends, the output is closed or a stop descriptor fires.
    ///
    /// - Returns: whether every answer that somebody wanted was written: false when the output broke, as on a full disk.
    ///   A reader that closed its end wanted none.
    public func run() -> Bool {
        logger.info("serving", metadata: ["version": "\(ProgramVersion.text)", "endpoint": "\(client.endpoint)"])
        let outputError = connection.run()
        let counters = connection.counters
        logger.info("ended", metadata: ["received": "\(counters.received)", "answered": "\(counters.answered)"])
        return outputError.map(Self.isClosing) ?? true
    }

    /// Whether an error of a write says that the reader has closed its end.
    fileprivate static func isClosing(_ errorNumber: CInt) -> Bool {
        errorNumber == EPIPE || errorNumber == ECONNRESET
    }
}

extension Logger {
    /// The lines that a connection's events make.
    fileprivate func report(_ event: ConnectionEvent) {
        switch event {
        case .responseDropped:
            warning("a response was dropped: nothing was asked")
        case .notificationDropped(let error):
            warning("a notification was dropped", metadata: ["error": "\(error.message)"])
        case .refused(let error):
            debug("a message was refused", metadata: ["error": "\(error.message)"])
        case .inputFailed(let number):
            warning("stdin can't be read; taken for its end", metadata: ["error": "\(PlatformError.text(of: number))"])
        case .outputClosed(let number) where Service.isClosing(number):
            debug("stdout was closed by its reader")
        case .outputClosed(let number):
            error("stdout can't be written; answers are lost", metadata: ["error": "\(PlatformError.text(of: number))"])
        case .stopping:
            debug("stopping: a signal, or the end of the parent process")
        }
    }
}
