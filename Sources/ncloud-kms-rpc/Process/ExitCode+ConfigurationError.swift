import ArgumentParser
import KMSService

extension ExitCode {
    /// Says on stderr, in one line, why the program can't start.
    ///
    /// - Returns: the status of `sysexits.h` to end with: 64 for the command line, 78 for the rest.
    static func reporting(_ error: ConfigurationError) -> ExitCode {
        // Straight to the descriptor: there may be no log yet, and `print` is for stdout.
        LogWriter(2).write(line: "ncloud-kms-rpc: \(error.message)".utf8)
        return ExitCode(error.exitStatus)
    }
}
