import JSONRPC
import KMSService
import Logging
import NCloudKMS
import Platform

/// What the commands share that ask once and end: standard streams that are there, a process that keeps its secrets to
/// itself, the configuration and the client.
struct OneShot {
    let client: KMSClient

    /// Ends the process with a line on stderr when the configuration can't be put to work.
    ///
    /// - Parameter withoutOutput: the status that a closed stdout ends the process with; nil goes on without one.
    init(flags: [Setting.Name: String], withoutOutput: Int32?) {
        do throws(ConfigurationError) {
            let configuration = try Self.configuration(flags, withoutOutput: withoutOutput)
            client = try configuration.makeClient(logger: Self.logger(configuration))
        } catch {
            Exit.now(error)
        }
    }

    /// Gets the process ready, and reads the configuration.
    static func configuration(
        _ flags: [Setting.Name: String], withoutOutput: Int32?
    ) throws(ConfigurationError) -> ServiceConfiguration {
        do throws(PlatformError) {
            // What is opened later must not be taken for the user's stdin or stdout.
            let hasOutput = try StandardStreams.fillGaps()
            if !hasOutput, let withoutOutput {
                Exit.now("stdout is closed, so nobody could read the answer", status: withoutOutput)
            }
            if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        } catch {
            Exit.now("\(error)", status: EX_OSERR)
        }
        return try ServiceConfiguration(flags: quiet(flags, .process), environment: .process)
    }

    static func logger(_ configuration: ServiceConfiguration) -> Logger {
        configuration.logger(writer: LogWriter(STDERR_FILENO))
    }

    /// An error is one line, whatever was tried before it: warnings are for those who ask for them.
    private static func quiet(
        _ flags: [Setting.Name: String], _ environment: EnvironmentVariables
    ) -> [Setting.Name: String] {
        let isSet = Setting[.logLevel].variables.contains { environment[$0] != nil }
        return isSet ? flags : flags.merging([.logLevel: Logger.Level.error.rawValue]) { given, _ in given }
    }
}
