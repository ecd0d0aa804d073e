import KMSCommands
import Logging
import NCloudKMS
import Platform

/// What the commands share that ask once and end: standard streams that are there, a process that keeps its secrets to
/// itself, the configuration and the client.
enum OneShot {
    /// - Parameter needsStdout: a stdout that is closed is an error.
    static func client(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) -> KMSClient {
        try prepare(flags, needsStdout: needsStdout)
        do throws(ConfigurationError) {
            let configuration = try configuration(flags).get()
            return try configuration.makeClient(logger: logger(configuration))
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Gets the process ready, before it reads anything.
    static func prepare(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) {
        let hasStdout: Bool
        do throws(PlatformError) {
            hasStdout = try !StandardStreams.fillGaps().contains(STDOUT_FILENO)
            if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        } catch {
            throw CommandFailure(ConfigurationError("the system refused: \(error)", isUsage: false))
        }
        if needsStdout, !hasStdout { throw .output("stdout", PlatformError("write", errorNumber: EBADF)) }
    }

    static func configuration(_ flags: [Setting.Name: String]) -> Result<ProgramConfiguration, ConfigurationError> {
        Result { () throws(ConfigurationError) in
            try ProgramConfiguration(flags: quiet(flags, .process), environment: .process)
        }
    }

    static func logger(_ configuration: ProgramConfiguration) -> Logger {
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
