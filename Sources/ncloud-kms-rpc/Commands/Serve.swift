import ArgumentParser
import JSONRPC
import KMSService
import Logging
import NCloudKMS
import Platform

/// The main job: JSON-RPC on stdin and stdout until one of them ends.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve JSON-RPC 2.0 on stdin and stdout (as without a subcommand).",
        usage: "ncloud-kms-rpc [serve] [<options>]",
        discussion: """
            One request a line on stdin, one answer a line on stdout, logs on stderr, until stdin ends.

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
            Exit.now(unableToServe: ConfigurationError("the system refused: \(error)", isUsage: false))
        }
    }

    private static func serveToTheEnd(_ flags: [Setting.Name: String]) throws(PlatformError) {
        // Reading the configuration reads the files of credentials that flags name.
        if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        let configuration: ServiceConfiguration
        do {
            configuration = try ServiceConfiguration(flags: flags, environment: .process)
        } catch {
            Exit.now(unableToServe: error)
        }
        let streams = try StandardStreams.takeOver()
        let log = LogWriter(STDERR_FILENO)
        let logger = configuration.logger(writer: log)
        guard let streams else { return Service.End.withoutOutput.log(to: logger, log) }
        LargeBlocks.keepApart()

        let signals = try TerminationSignals.install()
        var stops = [StopSource(descriptor: signals) { TerminationSignals.firstName(from: signals) ?? "a signal" }]
        if let pid = configuration.parentPID { stops.append(try parentStop(pid)) }
        if isatty(streams.input) == 1 { log.write(line: TerminalHelp.text.utf8) }

        let service: Service
        do {
            service = try Service(
                configuration, logger: logger, input: streams.input, output: streams.output,
                stops: stops)
        } catch {
            Exit.now(unableToServe: error)
        }
        let end = service.run()
        end.log(to: logger, log)
        Exit.now(end.isComplete ? .success : .output)
    }

    private static func parentStop(_ pid: Int) throws(PlatformError) -> StopSource {
        do {
            let descriptor = try ParentProcess.endDescriptor(of: CInt(pid))
            return StopSource(descriptor: descriptor) { "end of process \(pid), the parent" }
        } catch {
            Exit.now(
                unableToServe: ConfigurationError(
                    "\(Setting.Name.parentPID.flag): the end of process \(pid) can't be watched here: \(error)",
                    isUsage: false))
        }
    }
}
