import KMSService
import Platform

/// The one way out of the program.
///
/// At once, without exit handlers: nothing of ours is buffered, and the client's thread may be at work.
enum Exit {
    /// Says on stderr, in one line, why there is no answer, and ends the process.
    ///
    /// - Parameter asJSON: as `{"error": …}`, for programs.
    static func now(_ failure: CommandFailure, asJSON: Bool = false) -> Never {
        let line = asJSON ? failure.json : Array("ncloud-kms-rpc: \(failure.line)".utf8)
        let writer = LogWriter(STDERR_FILENO)
        writer.write(line: line)
        writer.finish()
        now(failure.status)
    }

    static func now(_ error: ConfigurationError) -> Never {
        now(CommandFailure(error))
    }

    static func now(_ status: ExitStatus) -> Never {
        _exit(status.rawValue)
    }
}
