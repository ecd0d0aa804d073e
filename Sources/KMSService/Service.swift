import KMSJSON
import KMSJSONRPC
import Logging
import NCloudKMS
import KMSPlatform

/// The service, put together: a connection whose methods ask a KMS client.
public struct Service: Sendable {
    private let connection: Connection
    private let client: KMSClient
    private let version: String
    private let logger: Logger
    private let stops: [StopSource]

    /// - Parameters:
    ///   - connection: the wire; its stops and its reports are set here.
    ///   - client: on the loop of the calling thread, which `run` runs.
    ///   - version: the program's, for `getStatus` and the log.
    ///   - stops: what ends the service from outside.
    public init(
        _ connection: Connection.Configuration, client: KMSClient, zone: Zone, version: String, logger: Logger,
        stops: [StopSource]
    ) {
        self.client = client
        self.version = version
        self.logger = logger
        self.stops = stops
        var configuration = connection
        configuration.stopDescriptors = stops.map(\.descriptor)
        configuration.report = { logger.report($0) }
        let methods = Self.methods(zone: zone, version: version, client: client)
        self.connection = Connection(
            configuration, on: client.loop, methods: methods, dialects: Self.dialects(version: version, methods))
    }

    /// What requests can name, beside the `SessionMethod`s.
    package static func methods(zone: Zone, version: String, client: KMSClient) -> [any Method] {
        [
            GetPublicKey(client: client), VerifySignature(verifier: SignatureVerifier(client)),
            GetStatus(zone: zone, version: version, client: client), Discover(),
        ]
    }

    /// What is spoken beside JSON-RPC itself, in the order in which messages are offered to them.
    package static func dialects(version: String, _ methods: [any Method]) -> [any Dialect] {
        [LanguageServerDialect(version: version), MCPDialect(version: version, methods)]
    }

    /// Serves until the input ends, the output is closed or a stop descriptor fires.
    ///
    /// - Returns: how it ended, for the log's last line and the exit status.
    public func run() -> End {
        logger.info("serving", metadata: ["version": "\(version)", "endpoint": "\(client.endpoint)"])
        let ending: ConnectionEnding = connection.run()
        let isComplete = if case .outputClosed(let number) = ending { Self.isClosing(number) } else { true }
        let counters = connection.counters
        return End(
            reason: reason(for: ending), received: counters.received, answered: counters.answered,
            isComplete: isComplete)
    }

    /// How a service ended.
    public struct End: Sendable {
        /// Why, in a few words.
        public let reason: String
        public let received: Int
        public let answered: Int
        /// Whether every answer that somebody wanted was written: false when the output broke, as on a full disk. A reader
        /// that closed its end wanted none.
        public let isComplete: Bool

        /// The end of one that had nobody to answer to, so that it never began.
        public static let withoutOutput = End(
            reason: "stdout was closed", received: 0, answered: 0, isComplete: true)

        /// Writes the last line of the log.
        public func log(to logger: Logger) {
            logger.info(
                "ended",
                metadata: [
                    "reason": "\(reason)", "received": .stringConvertible(received),
                    "answered": .stringConvertible(answered),
                ])
        }
    }

    private func reason(for ending: ConnectionEnding) -> String {
        switch ending {
        case .endOfInput: "end of stdin"
        case .badFrame: "a frame on stdin that can't be read"
        case .exit: "exit"
        case .shutdown: "shutdown, and nothing after it"
        case .stopped(let descriptor): stops.first { $0.descriptor == descriptor }?.reason() ?? "a stop"
        case .outputClosed(let number) where Self.isClosing(number): "stdout was closed"
        case .outputClosed(let number): "stdout can't be written: \(PlatformError.text(of: number))"
        }
    }

    /// Whether an error of a write says that the reader has closed its end.
    fileprivate static func isClosing(_ errorNumber: CInt) -> Bool {
        errorNumber == EPIPE || errorNumber == ECONNRESET
    }
}

/// What ends the service from outside: a signal, or the end of a process.
public struct StopSource: Sendable {
    /// Readable when the service is to end.
    public let descriptor: CInt
    /// What has made it readable, in a few words for the log.
    public let reason: @Sendable () -> String

    public init(descriptor: CInt, reason: @escaping @Sendable () -> String) {
        self.descriptor = descriptor
        self.reason = reason
    }
}

extension Logger {
    /// The sentence alone does not repeat the name of a parameter or method that there is not.
    private static func metadata(of error: RPCError) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["error": "\(error.message)"]
        for detail in error.details where ["parameter", "reason"].contains(detail.name) {
            if case .string(let text) = detail.value { metadata[detail.name] = "\(text.excerpt)" }
        }
        return metadata
    }

    /// The lines that a connection's events make.
    fileprivate func report(_ event: ConnectionEvent) {
        switch event {
        case .responseDropped:
            warning("a response was dropped: nothing was asked")
        case .notificationDropped(let error):
            warning("a notification was dropped", metadata: Self.metadata(of: error))
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
