import KMSCommands
import KMSPlatform

/// The only way out of the program.
///
/// It exits at once, without exit handlers: no output is buffered, and a verification may still be running.
enum Exit {
    /// Prints one line on stderr that says why there is no answer, and ends the process. Waits for a slow reader,
    /// because this line is the only output.
    ///
    /// - Parameter asJSON: whether to print `{"error": …}`, for programs.
    static func now(_ failure: CommandFailure, asJSON: Bool = false) -> Never {
        let line = asJSON ? failure.json : line(failure)
        // A host that has closed stderr only wants the status.
        try? FileContents.append(line + [UInt8(ascii: "\n")], to: STDERR_FILENO)
        now(failure.status)
    }

    /// The same for a service that can't start, which never waits for stderr.
    static func now(unableToServe failure: CommandFailure) -> Never {
        let writer = LogWriter(STDERR_FILENO)
        writer.write(line: line(failure))
        writer.finish()
        now(failure.status)
    }

    static func now(unableToServe error: ConfigurationError) -> Never {
        now(unableToServe: CommandFailure(error))
    }

    private static func line(_ failure: CommandFailure) -> [UInt8] { Array("ncloud-kms-rpc: \(failure.line)".utf8) }

    static func now(_ status: ExitStatus) -> Never {
        _exit(status.rawValue)
    }
}
