import ArgumentParser
import JSONRPC
import KMSService
import Logging
import NCloudKMS
import Platform

/// The main job: JSON-RPC on stdin and stdout until one of them ends.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve JSON-RPC 2.0 on stdin and stdout (as without a subcommand).")

    /// `EX_IOERR` of `sysexits.h`.
    private static let outputFailure: CInt = 74

    @ParentCommand var program: Program
    @OptionGroup var options: ServiceOptions

    func run() throws {
        try Self.serve(flags: program.options.flags(overriddenBy: options))
    }

    static func serve(flags: [Setting.Name: String]) throws {
        do {
            try serveOrThrow(flags: flags)
        } catch let error as PlatformError {
            throw ExitCode.reporting(ConfigurationError("the system refused: \(error)", isUsage: false))
        }
    }

    private static func serveOrThrow(flags: [Setting.Name: String]) throws {
        let configuration: ServiceConfiguration
        do {
            configuration = try ServiceConfiguration(flags: flags, environment: .process)
        } catch {
            throw ExitCode.reporting(error)
        }
        guard let streams = try StandardStreams.takeOver() else { return }
        if !configuration.allowsDebug { try ProcessHardening.forbidInspection() }

        var stopDescriptors = [try TerminationSignals.install()]
        if let pid = configuration.parentPID {
            guard let descriptor = try ParentProcess.endDescriptor(of: pid) else { return }
            stopDescriptors.append(descriptor)
        }
        let log = LogWriter(2)
        let logger = configuration.logger(writer: log)
        if isatty(streams.input) == 1 { log.write(line: TerminalHelp.text.utf8) }

        let service: Service
        do {
            service = try Service(
                configuration, logger: logger, input: streams.input, output: streams.output,
                stopDescriptors: stopDescriptors)
        } catch {
            throw ExitCode.reporting(error)
        }
        let isComplete = service.run()
        // At once: exit handlers would take OpenSSL away from under the client's thread, which may be at work.
        _exit(isComplete ? EXIT_SUCCESS : Self.outputFailure)
    }
}
