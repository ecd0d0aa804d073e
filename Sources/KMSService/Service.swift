import KMSJSON
import KMSJSONRPC
import Logging
import NCloudKMS
import KMSPlatform

/// The whole service: a connection whose methods use a KMS client.
///
/// The terms of this module, in addition to those of the modules `KMSJSONRPC` and `NCloudKMS`:
/// - service: the connection and the client of one process
/// - rendered: a result that has been written as JSON
/// - stop source: a descriptor that ends the service, and the reason to log
public struct Service: Sendable {
    private let connection: Connection
    private let client: KMSClient
    private let version: String
    private let logger: Logger
    private let stops: [StopSource]

    /// - Parameters:
    ///   - connection: the connection's configuration; its stop descriptors and its `report` are set here.
    ///   - client: a client on the calling thread's loop, which `run` runs.
    ///   - version: the program's version, for `getStatus` and the log.
    ///   - stops: what can end the service from outside.
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

    /// The methods of the protocol, without the `SessionMethod`s.
    package static func methods(zone: Zone, version: String, client: KMSClient) -> [any Method] {
        [
            GetPublicKey(client: client), VerifySignature(verifier: SignatureVerifier(client)),
            GetStatus(zone: zone, version: version, client: client), Discover(),
        ]
    }

    /// The other protocols on the same stream, in the order in which messages are offered to them.
    package static func dialects(version: String, _ methods: [any Method]) -> [any Dialect] {
        [LanguageServerDialect(version: version), MCPDialect(version: version, methods)]
    }

    /// Serves until the input ends, the output is closed or a stop descriptor becomes readable.
    ///
    /// - Returns: how it ended, for the last log line and the exit status.
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
        /// Why it ended, in a few words.
        public let reason: String
        /// Requests and notifications that were read.
        public let received: Int
        /// Requests that were answered.
        public let answered: Int
        /// Whether every answer that the host wanted has been written: false if writing failed, as on a full disk. A
        /// host that has closed its end does not want more.
        public let isComplete: Bool

        /// The end of a service that never started, because stdout was closed.
        public static let withoutOutput = End(
            reason: "stdout was closed", received: 0, answered: 0, isComplete: true)

        /// Writes the last log line.
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
        case .badFrame: "an invalid frame on stdin"
        case .exit: "exit"
        case .shutdown: "shutdown, not followed by exit"
        case .stopped(let descriptor): stops.first { $0.descriptor == descriptor }?.reason() ?? "a stop"
        case .outputClosed(let number) where Self.isClosing(number): "stdout was closed"
        case .outputClosed(let number): "writing to stdout failed: \(PlatformError.text(of: number))"
        }
    }

    /// Whether a write error means that the reader has closed its end.
    fileprivate static func isClosing(_ errorNumber: CInt) -> Bool {
        errorNumber == EPIPE || errorNumber == ECONNRESET
    }
}

/// Something that ends the service from outside: a signal, or the end of a process.
public struct StopSource: Sendable {
    /// Readable when the service should end.
    public let descriptor: CInt
    /// What made it readable, in a few words for the log.
    public let reason: @Sendable () -> String

    public init(descriptor: CInt, reason: @escaping @Sendable () -> String) {
        self.descriptor = descriptor
        self.reason = reason
    }
}

extension Logger {
    /// The message alone does not name the unknown parameter or method.
    private static func metadata(of error: RPCError) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["error": "\(error.message)"]
        for detail in error.details where ["parameter", "reason"].contains(detail.name) {
            if case .string(let text) = detail.value { metadata[detail.name] = "\(text.excerpt)" }
        }
        return metadata
    }

    /// Logs the connection's events.
    fileprivate func report(_ event: ConnectionEvent) {
        switch event {
        case .responseDropped:
            warning("dropped a response: this server sends no requests")
        case .notificationDropped(let error):
            warning("dropped a notification", metadata: Self.metadata(of: error))
        case .refused(let error):
            debug("refused a message", metadata: ["error": "\(error.message)"])
        case .inputFailed(let number):
            warning(
                "reading stdin failed; treated as its end", metadata: ["error": "\(PlatformError.text(of: number))"])
        case .outputClosed(let number) where Service.isClosing(number):
            debug("the reader closed stdout")
        case .outputClosed(let number):
            error(
                "writing to stdout failed; answers are lost", metadata: ["error": "\(PlatformError.text(of: number))"])
        case .stopping:
            debug("stopping after a signal or the end of the parent process")
        }
    }
}
