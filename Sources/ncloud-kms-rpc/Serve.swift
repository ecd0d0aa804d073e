import ArgumentParser
import KMSJSONRPC
import KMSCommands
import KMSService
import Logging
import NCloudKMS
import KMSPlatform

/// `serve`: JSON-RPC on stdin and stdout until one of them ends.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve JSON-RPC 2.0 on stdin and stdout (the default).",
        usage: "ncloud-kms-rpc [serve] [<options>]",
        discussion: """
            One request per line on stdin, one answer per line on stdout, logs on stderr, until stdin ends.

            \(ExitStatus.helpText(of: .serve))
            """)

    @ParentCommand var program: Program
    @OptionGroup var options: ServiceOptions

    var flags: [Setting.Name: String] { program.options.flags(overriddenBy: options.groups) }

    func run() {
        Self.serve(flags: flags)
    }

    static func serve(flags: [Setting.Name: String]) {
        do throws(PlatformError) {
            try serveToTheEnd(flags)
        } catch {
            Exit.now(unableToServe: ConfigurationError("the program could not start: \(error)", isUsage: false))
        }
    }

    private static func serveToTheEnd(_ flags: [Setting.Name: String]) throws(PlatformError) {
        // Parsing the configuration reads the credential files that flags name.
        if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        let configuration: ProgramConfiguration
        do {
            configuration = try ProgramConfiguration(flags: flags, environment: .process)
        } catch {
            Exit.now(unableToServe: error)
        }
        let streams = try StandardStreams.takeOver()
        let log = LogWriter(STDERR_FILENO)
        let logger = configuration.logger(writer: log)
        guard let streams else { end(.withoutOutput, logger, log) }
        LargeBlocks.keepApart()

        let signals = try TerminationSignals.install()
        var stops = [StopSource(descriptor: signals) { TerminationSignals.firstName(from: signals) ?? "a signal" }]
        if let pid = configuration.parentPID { stops.append(try parentStop(pid)) }
        if isatty(streams.input) == 1 { log.write(line: TerminalHelp.text.utf8) }

        let client: KMSClient
        do {
            client = try configuration.makeClient(logger: logger)
        } catch {
            Exit.now(unableToServe: error)
        }
        let service = Service(
            configuration.connection(input: streams.input, output: streams.output), client: client,
            zone: configuration.zone, version: ProgramVersion.text, logger: logger, stops: stops)
        end(service.run(), logger, log)
    }

    private static func end(_ end: Service.End, _ logger: Logger, _ log: LogWriter) -> Never {
        log.finish { end.log(to: logger) }
        Exit.now(end.isComplete ? .success : .output)
    }

    private static func parentStop(_ pid: Int) throws(PlatformError) -> StopSource {
        do {
            let descriptor = try ParentProcess.endDescriptor(of: CInt(pid))
            return StopSource(descriptor: descriptor) { "end of process \(pid), the parent" }
        } catch {
            Exit.now(
                unableToServe: ConfigurationError(
                    "\(Setting.Name.parentPID.flag): the system can't report the end of process \(pid): \(error)",
                    isUsage: false))
        }
    }
}

extension ProgramConfiguration {
    /// The configuration of the connection; its errors name the flags.
    fileprivate func connection(input: CInt, output: CInt) -> Connection.Configuration {
        let framing: any Framing =
            switch self.framing {
            case .lines: LineFraming(maximumMessageBytes: maximumMessageBytes)
            case .headers: HeaderFraming(maximumMessageBytes: maximumMessageBytes)
            case .auto: AutomaticFraming(maximumMessageBytes: maximumMessageBytes)
            }
        return Connection.Configuration(
            input: input, output: output, framing: framing, maximumBatchCount: maximumBatchCount,
            maximumInFlight: maximumInFlight,
            limitNames: Connection.LimitNames(
                messageBytes: Setting.Name.maxMessageBytes.flag, batchCount: Setting.Name.maxBatch.flag))
    }
}

/// The text for a user who starts the program in a terminal.
enum TerminalHelp {
    static let text = """
        ncloud-kms-rpc speaks JSON-RPC 2.0: one request per line here, one answer per line on stdout. It is meant to be
        spawned by programs; to try it by hand, paste this line (Ctrl-D ends it, --help lists the options):
        {"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"YOUR-KEY-TAG"}}
        """
}
