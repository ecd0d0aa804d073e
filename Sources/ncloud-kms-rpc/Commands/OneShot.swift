import JSONRPC
import KMSService
import Logging
import NCloudKMS
import Platform

/// What the commands share that ask once and end: standard streams that are there, a process that keeps its secrets to
/// itself, the configuration, the client, and the way out.
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
            Self.end(error)
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
                end("stdout is closed, so nobody could read the answer", status: withoutOutput)
            }
            if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        } catch {
            end("\(error)", status: EX_OSERR)
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

    // MARK: The way out

    /// Writes the answer to stdout and ends the process.
    ///
    /// - Parameter failureStatus: for an answer that can't be written.
    static func end(writing answer: [UInt8], status: Int32 = EXIT_SUCCESS, failureStatus: Int32) -> Never {
        do {
            try FileContents.append(answer, to: STDOUT_FILENO)
        } catch {
            end("stdout: \(error)", status: failureStatus)
        }
        end(status: status)
    }

    /// Says on stderr, in one line, why there is no answer, and ends the process.
    static func end(_ error: RPCError, status: Int32) -> Never {
        end(error.line, status: status)
    }

    static func end(_ error: ConfigurationError) -> Never {
        end(error.message, status: error.exitStatus)
    }

    static func end(_ problem: String, status: Int32) -> Never {
        LogWriter(STDERR_FILENO).write(line: "ncloud-kms-rpc: \(problem)".utf8)
        end(status: status)
    }

    static func end(status: Int32) -> Never {
        // At once: exit handlers would take OpenSSL away from under the client's thread, which may be at work.
        _exit(status)
    }
}
