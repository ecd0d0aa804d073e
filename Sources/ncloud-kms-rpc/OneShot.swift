import ArgumentParser
import KMSCommands
import KMSPlatform
import Logging
import NCloudKMS

/// A command that does one thing and ends: runs with its flags, and exits with its status or its error.
protocol OneShotCommand: ParsableCommand {
    var program: Program { get }
    var client: ClientOptions { get }
    var load: LoadOptions { get }
    var serving: ServingOptions { get }
    /// Whether an error is written as JSON instead of a line of text.
    var reportsErrorsAsJSON: Bool { get }

    /// - Parameter flags: the flags before and after the command's name.
    func run(_ flags: [Setting.Name: String]) throws(CommandFailure) -> ExitStatus
}

extension OneShotCommand {
    var reportsErrorsAsJSON: Bool { false }

    func run() {
        do throws(CommandFailure) {
            Exit.now(try run(program.options.flags(overriddenBy: [client, load, serving])))
        } catch {
            Exit.now(error, asJSON: reportsErrorsAsJSON)
        }
    }
}

/// A process that runs one command and ends: prepares the standard streams, protects the process's secrets, and makes
/// the configuration and the client.
enum OneShot {
    /// - Parameter needsStdout: whether a closed stdout is an error.
    static func client(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) -> KMSClient {
        try prepare(flags, needsStdout: needsStdout)
        do throws(ConfigurationError) {
            let configuration = try configuration(flags).get()
            return try configuration.makeClient(logger: logger(configuration))
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Prepares the process before it reads anything.
    static func prepare(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) {
        let hasStdout: Bool
        do throws(PlatformError) {
            hasStdout = try !StandardStreams.fillGaps().contains(STDOUT_FILENO)
            if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        } catch {
            throw CommandFailure(ConfigurationError("the program could not start: \(error)", isUsage: false))
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

    /// Only the error is printed, on one line, whatever was tried before it; warnings are for users who ask for them.
    private static func quiet(
        _ flags: [Setting.Name: String], _ environment: EnvironmentVariables
    ) -> [Setting.Name: String] {
        let isSet = Setting[.logLevel].variables.contains { environment[$0] != nil }
        return isSet ? flags : flags.merging([.logLevel: Logger.Level.error.rawValue]) { given, _ in given }
    }
}
