import JSONRPC
import KMSService
import Platform

/// The one way out of the program, save for help and the version, which ArgumentParser prints.
///
/// At once, without exit handlers: nothing of ours is buffered, and the client's thread may be at work.
enum Exit {
    /// Writes the answer to stdout and ends the process.
    ///
    /// - Parameter failureStatus: for an answer that can't be written.
    static func now(writing answer: [UInt8], status: Int32 = EXIT_SUCCESS, failureStatus: Int32) -> Never {
        do {
            try FileContents.append(answer, to: STDOUT_FILENO)
        } catch {
            now("stdout: \(error)", status: failureStatus)
        }
        now(status: status)
    }

    /// Says on stderr, in one line, why there is no answer, and ends the process.
    static func now(_ error: RPCError, status: Int32) -> Never {
        now(error.line, status: status)
    }

    static func now(_ error: ConfigurationError) -> Never {
        now(error.message, status: error.exitStatus)
    }

    static func now(_ problem: String, status: Int32) -> Never {
        LogWriter(STDERR_FILENO).write(line: "ncloud-kms-rpc: \(problem)".utf8)
        now(status: status)
    }

    static func now(status: Int32) -> Never {
        _exit(status)
    }
}
