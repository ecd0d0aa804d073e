import ArgumentParser
import KMSService
import Platform

/// Ends the program with one line on stderr and the status of `sysexits.h`.
struct ProgramError: Error {
    let exitCode: ExitCode

    init(_ error: ConfigurationError) {
        // Straight to the descriptor: it may be before there is a log, and `print` is for the wire's way.
        LogWriter(2).write(line: "ncloud-kms-rpc: \(error.message)".utf8)
        exitCode = ExitCode(error.exitStatus)
    }
}
