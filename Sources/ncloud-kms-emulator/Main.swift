import ArgumentParser
import KMSEmulator
import KMSPlatform

@main struct Main {
    static func main() {
        do throws(PlatformError) {
            try StandardStreams.fillGaps()
        } catch {
            end("can't start: \(error)", status: OwnExitStatus.failure)
        }
        // Without its command the emulator would run standalone, and the caller would wait for an exit status that
        // never comes.
        guard let arguments = ProcessArguments.strings else {
            end("the system did not provide the command line", status: EX_SOFTWARE)
        }
        do {
            var command = try EmulatorCommand.parseAsRoot(arguments)
            // For example `-- $CMD` with an empty variable: standalone, it would print a secret and serve without end.
            if (command as? EmulatorCommand)?.command.isEmpty == true, arguments.contains("--") {
                end("no command after \"--\"; leave out \"--\" to run the emulator on its own", status: EX_USAGE)
            }
            try command.run()
        } catch {
            exit(after: error)
        }
    }

    /// ArgumentParser's own exit reports success even if the text could not be written.
    private static func exit(after error: any Error) -> Never {
        let text = EmulatorCommand.fullMessage(for: error)
        guard EmulatorCommand.exitCode(for: error) == .success, !text.isEmpty else {
            EmulatorCommand.exit(withError: error)
        }
        do {
            // Help, the version, or a completion script.
            try FileContents.append(Array("\(text)\n".utf8), to: STDOUT_FILENO)
        } catch {
            end("stdout: \(error)", status: EX_IOERR)
        }
        KMSPlatform.exit(EXIT_SUCCESS)
    }

    private static func end(_ message: String, status: CInt) -> Never {
        StandardError.report(message)
        KMSPlatform.exit(status)
    }
}

/// Exit statuses of the emulator itself, the same as those of `env` and `timeout`; all others are the command's.
enum OwnExitStatus {
    /// The emulator could not start.
    static let failure: Int32 = 125
    /// The command was found, but can't be run.
    static let cannotRun: Int32 = 126
    static let notFound: Int32 = 127
}

enum StandardError {
    /// Writes one line that starts with the program's name.
    static func report(_ message: String) {
        // If this fails, there is no other place to report it.
        try? FileContents.append(Array("ncloud-kms-emulator: \(message)\n".utf8), to: STDERR_FILENO)
    }
}
